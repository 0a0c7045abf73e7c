//! Converts errors of the command-line parser to failures with a message and a hint.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use super::Failure;
use super::exit::Exit;
use crate::cli::output::printer::Printer;
use crate::cli::output::style::ColorChoice;

/// Prints help, a version or a usage error.
pub(crate) fn report(error: &Error) -> Exit {
    let before_dashes = || std::env::args_os().skip(1).take_while(|argument| argument != "--");
    let printer = Printer::before_parsing(before_dashes().any(|argument| argument == "--json"), ColorChoice::Auto);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe is not an error.
            let _ = printer.text(&error.render().to_string());
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !printer.is_json() => {
            printer.note(&error.render().to_string());
            Exit::Usage
        }
        _ => {
            let failure = match error.kind() {
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    Failure::usage("no command given").hint("see --help")
                }
                // The unexpected argument is not quoted: it may be a misplaced secret.
                ErrorKind::UnknownArgument if !is_flag(error) => Failure::usage("unexpected extra argument")
                    .hint("see --help; quote arguments with spaces; --passphrase takes no value"),
                _ => with_suggestion(failure(&error.render().to_string()), error),
            };
            let error = failure.clone().into();
            printer.failure(&failure, &error);
            Exit::Usage
        }
    }
}

/// Command names of other programs, with the command of `sgsend` that does the same.
const ALIASES: &[(&str, &str)] = &[
    ("send", "upload"),
    ("put", "upload"),
    ("share", "upload"),
    ("get", "download"),
    ("fetch", "download"),
    ("receive", "download"),
    ("decrypt", "open"),
    ("info", "status"),
    ("show", "status"),
    ("rm", "delete"),
    ("remove", "delete"),
    ("list", "history"),
    ("ls", "history"),
    ("server", "serve"),
    ("completion", "completions"),
];

/// Subcommand names of other programs: parent command, their name, and the full command of `sgsend`.
const SUBCOMMAND_ALIASES: &[(&str, &str, &str)] = &[
    ("token", "rm", "token revoke"),
    ("token", "remove", "token revoke"),
    ("token", "delete", "token revoke"),
    ("token", "ls", "token list"),
    ("token", "new", "token create"),
    ("token", "add", "token create"),
];

/// Suggests the command that corresponds to another program's command name.
fn with_suggestion(failure: Failure, error: &Error) -> Failure {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return failure };
    let parent = parent_command(error);
    let suggestion = match parent.as_deref() {
        None => ALIASES.iter().find(|(alias, _)| alias == word).map(|(_, own_command)| *own_command),
        Some(parent) => {
            let matches = |(command, alias, _): &&(&str, &str, &str)| *command == parent && alias == word;
            SUBCOMMAND_ALIASES.iter().find(matches).map(|(.., own_command)| *own_command)
        }
    };
    match suggestion {
        Some(own_command) => failure.hint(format!("did you mean `sgsend {own_command}`?")),
        None => failure,
    }
}

/// Returns the parent of an unknown subcommand; `None` for `sgsend` itself.
fn parent_command(error: &Error) -> Option<String> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    // `Usage: sgsend token [OPTIONS] <COMMAND>`
    let usage = usage.to_string();
    let word = usage.split_whitespace().skip_while(|word| *word != "sgsend").nth(1)?;
    word.starts_with(|first: char| first.is_ascii_lowercase()).then(|| word.to_owned())
}

/// Returns whether the rejected argument is a flag.
fn is_flag(error: &Error) -> bool {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.starts_with('-'),
        _ => true,
    }
}

/// Reduces the parser's error text to a message and a hint.
fn failure(rendered: &str) -> Failure {
    let mut paragraphs =
        rendered.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = paragraphs.next().unwrap_or_default();
    let message = without_secrets(message.strip_prefix("error: ").unwrap_or(&message));
    let (mut tip, mut usage) = (None, None);
    for paragraph in paragraphs {
        if let Some(text) = paragraph.strip_prefix("tip: ") {
            tip.get_or_insert(without_secrets(text));
        } else if let Some(text) = paragraph.strip_prefix("Usage: ") {
            usage.get_or_insert(format!("usage: {text}"));
        }
    }
    Failure::usage(message).hint(tip.or(usage).unwrap_or_else(|| "see --help".to_owned()))
}

/// Redacts quoted arguments that contain a link's key or a token.
fn without_secrets(text: &str) -> String {
    let is_secret = |word: &str| ["#", "v1.", "v1p.", "sgs_"].iter().any(|mark| word.contains(mark));
    let words = text.split(' ').map(|word| if is_secret(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line;

    fn parse_failure(arguments: &[&str]) -> Failure {
        let arguments = std::iter::once(&"sgsend").chain(arguments);
        let error = command_line().try_get_matches_from(arguments).err().unwrap();
        with_suggestion(failure(&error.render().to_string()), &error)
    }

    #[test]
    fn unknown_commands_and_flags_get_a_suggestion() {
        for (arguments, right) in [
            (&["dowload", "x"] as &[&str], "'download'"),
            (&["tokens"], "'token'"),
            (&["upload", "--expire", "7d", "x"], "'--expires'"),
            (&["send", "x"], "`sgsend upload`"),
            (&["get", "x"], "`sgsend download`"),
            (&["receive", "x"], "`sgsend download`"),
            (&["token", "rm", "x"], "`sgsend token revoke`"),
            (&["token", "delete", "x"], "`sgsend token revoke`"),
        ] {
            let hint = parse_failure(arguments).hint.unwrap_or_default();
            assert!(hint.contains(right), "{arguments:?}: {hint}");
        }
    }

    #[test]
    fn aliases_of_top_level_commands_do_not_apply_to_subcommands() {
        for arguments in [&["audit", "rm", "x"], &["store", "rm", "x"], &["store", "ls", "x"]] {
            let hint = parse_failure(arguments).hint.unwrap_or_default();
            assert!(!hint.contains("did you mean"), "{arguments:?}: {hint}");
        }
    }

    #[test]
    fn every_alias_maps_to_a_command() {
        let command = command_line();
        for (alias, own_command) in ALIASES {
            assert!(
                command.find_subcommand(own_command).is_some() && command.find_subcommand(alias).is_none(),
                "{alias}"
            );
        }
        for (parent, alias, own_command) in SUBCOMMAND_ALIASES {
            let (_, own_command) = own_command.split_once(' ').unwrap();
            let command = command.find_subcommand(parent).unwrap();
            assert!(
                command.find_subcommand(own_command).is_some() && command.find_subcommand(alias).is_none(),
                "{alias}"
            );
        }
    }

    #[test]
    fn usage_errors_do_not_repeat_secrets() {
        for arguments in [
            &["https://send.example/d/0#v1.secret"] as &[&str],
            &["status", "x", "v1p.secret"],
            &["upload", "--token=sgs_secret", "--nothing", "x", "sgs_secret"],
            &["download", "x", "https://send.example/d/0#v1.secret"],
        ] {
            let failure = parse_failure(arguments);
            assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
        }
    }

    #[test]
    fn usage_errors_have_a_single_line_message_and_hint() {
        let missing = parse_failure(&["upload"]);
        assert_eq!(missing.exit, Exit::Usage);
        assert!(missing.message.contains("<PATH|->"), "{}", missing.message);
        for failure in
            [missing, parse_failure(&["upload", "--exipres", "7d", "x"]), parse_failure(&["upload", "x", "-e", "soon"])]
        {
            assert!(!failure.message.contains('\n') && !failure.message.starts_with("error"), "{}", failure.message);
            assert!(failure.hint.is_some_and(|hint| !hint.contains('\n')));
        }
    }
}
