//! What the parser of the command line says, in our own form.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use super::arguments::When;
use super::exit::Exit;
use super::failure::Failure;
use super::printer::Printer;

/// Prints help, a version or a usage error.
pub(super) fn report(error: &Error) -> Exit {
    let before_dashes = || std::env::args_os().skip(1).take_while(|argument| argument != "--");
    let printer = Printer::bare(before_dashes().any(|argument| argument == "--json"), When::Auto);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A broken pipe is no error.
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
                    Failure::usage("a command is missing").hint("see --help")
                }
                // Whatever it is, it may be a secret that went astray.
                ErrorKind::UnknownArgument if !is_flag(error) => Failure::usage("there is one argument too many")
                    .hint("see --help; quote what has spaces in it; --passphrase, where there is one, takes no value"),
                _ => with_meant(failure(&error.render().to_string()), error),
            };
            let error = failure.clone().into();
            printer.failure(&failure, &error);
            Exit::Usage
        }
    }
}

/// What other programs call our commands.
const MEANT: &[(&str, &str)] = &[
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

/// What they call those of our commands that stand below another one.
const MEANT_BELOW: &[(&str, &str, &str)] = &[
    ("token", "rm", "token revoke"),
    ("token", "remove", "token revoke"),
    ("token", "delete", "token revoke"),
    ("token", "ls", "token list"),
    ("token", "new", "token create"),
    ("token", "add", "token create"),
];

/// Hints at the command that was meant where the word for it is another program's.
fn with_meant(failure: Failure, error: &Error) -> Failure {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return failure };
    let above = command_above(error);
    let meant = match above.as_deref() {
        None => MEANT.iter().find(|(theirs, _)| theirs == word).map(|(_, ours)| *ours),
        Some(above) => {
            let is_it = |(command, theirs, _): &&(&str, &str, &str)| *command == above && theirs == word;
            MEANT_BELOW.iter().find(is_it).map(|(.., ours)| *ours)
        }
    };
    match meant {
        Some(ours) => failure.hint(format!("did you mean `sgsend {ours}`?")),
        None => failure,
    }
}

/// The command below which another one was looked for; none for `sgsend` itself.
fn command_above(error: &Error) -> Option<String> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    // `Usage: sgsend token [OPTIONS] <COMMAND>`
    let usage = usage.to_string();
    let word = usage.split_whitespace().skip_while(|word| *word != "sgsend").nth(1)?;
    word.starts_with(|first: char| first.is_ascii_lowercase()).then(|| word.to_owned())
}

/// Whether the argument that an error is about is a flag.
fn is_flag(error: &Error) -> bool {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.starts_with('-'),
        _ => true,
    }
}

/// Reduces the parser's text to a message and a hint.
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
            usage.get_or_insert(format!("it is used like this: {text}"));
        }
    }
    Failure::usage(message).hint(tip.or(usage).unwrap_or_else(|| "see --help".to_owned()))
}

/// Leaves out the arguments that the parser quotes and that hold a link's key or a token.
fn without_secrets(text: &str) -> String {
    let is_secret = |word: &str| ["#", "v1.", "v1p.", "sgs_"].iter().any(|mark| word.contains(mark));
    let words = text.split(' ').map(|word| if is_secret(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::arguments::Arguments;

    fn refused(arguments: &[&str]) -> Failure {
        let arguments = std::iter::once(&"sgsend").chain(arguments);
        let error = Arguments::try_parse_from(arguments).err().unwrap();
        with_meant(failure(&error.render().to_string()), &error)
    }

    #[test]
    fn a_wrong_word_leads_to_the_right_one() {
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
            let hint = refused(arguments).hint.unwrap_or_default();
            assert!(hint.contains(right), "{arguments:?}: {hint}");
        }
    }

    #[test]
    fn a_word_below_a_command_is_not_taken_for_one_of_the_others() {
        for arguments in [&["audit", "rm", "x"], &["store", "rm", "x"], &["store", "ls", "x"]] {
            let hint = refused(arguments).hint.unwrap_or_default();
            assert!(!hint.contains("did you mean"), "{arguments:?}: {hint}");
        }
    }

    #[test]
    fn what_is_meant_is_a_command() {
        let command = <Arguments as clap::CommandFactory>::command();
        for (theirs, ours) in MEANT {
            assert!(command.find_subcommand(ours).is_some() && command.find_subcommand(theirs).is_none(), "{theirs}");
        }
        for (above, theirs, ours) in MEANT_BELOW {
            let (_, ours) = ours.split_once(' ').unwrap();
            let command = command.find_subcommand(above).unwrap();
            assert!(command.find_subcommand(ours).is_some() && command.find_subcommand(theirs).is_none(), "{theirs}");
        }
    }

    #[test]
    fn a_usage_error_repeats_no_secret() {
        for arguments in [
            &["https://send.example/d/0#v1.secret"] as &[&str],
            &["status", "x", "v1p.secret"],
            &["upload", "--token=sgs_secret", "--nothing", "x", "sgs_secret"],
            &["download", "x", "https://send.example/d/0#v1.secret"],
        ] {
            let failure = refused(arguments);
            assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
        }
    }

    #[test]
    fn a_usage_error_is_two_lines() {
        let missing = refused(&["upload"]);
        assert_eq!(missing.exit, Exit::Usage);
        assert!(missing.message.contains("<PATH|->"), "{}", missing.message);
        for failure in [missing, refused(&["upload", "--exipres", "7d", "x"]), refused(&["upload", "x", "-e", "soon"])]
        {
            assert!(!failure.message.contains('\n') && !failure.message.starts_with("error"), "{}", failure.message);
            assert!(failure.hint.is_some_and(|hint| !hint.contains('\n')));
        }
    }
}
