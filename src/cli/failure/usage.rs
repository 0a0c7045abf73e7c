//! Converts errors of the command-line parser to failures with a message and a hint.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use super::Failure;
use super::exit::Exit;
use crate::cli::config::variables;
use crate::cli::guess::{Guess, MissingCommand, guess, shown};
use crate::cli::input::prompt::Prompt;
use crate::cli::output::printer::Printer;
use crate::cli::output::style::ColorChoice;
use crate::cli::signals;

/// Next step after a command line that was not parsed.
pub(crate) enum NextStep {
    /// The process ends.
    Exit(Exit),
    /// These arguments run instead, since the user has agreed.
    Run(Vec<OsString>),
}

/// Prints help, a version or a usage error. Asks on a terminal whether to run the command that was probably meant.
pub(crate) fn report(command: &Command, arguments: &[OsString], error: &Error) -> NextStep {
    let has = |options: &[&str]| {
        let mut options_given = arguments.iter().take_while(|argument| *argument != "--");
        options_given.any(|argument| options.iter().any(|option| argument == option))
    };
    let printer = Printer::before_parsing(has(&["--json"]), ColorChoice::Auto);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe is not an error.
            let _ = printer.text(&error.render().to_string());
            return NextStep::Exit(Exit::Done);
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !printer.is_json() => {
            printer.note(&error.render().to_string());
            return NextStep::Exit(Exit::Usage);
        }
        _ => {}
    }
    let guess = guess(command, arguments, error);
    let mut failure = describe(error, guess.as_ref());
    if let Some((variable, flag)) = variables::source_of(command, arguments, error) {
        failure.message = failure.message.replace(&format!("'{flag}'"), &format!("{variable} ('{flag}')"));
        failure = failure.hint(format!("correct or unset {variable}"));
    }
    printer.failure(&failure, &failure.clone().into());
    let Some(guess) = guess.filter(|guess| guess.missing.is_some()) else { return NextStep::Exit(Exit::Usage) };
    let no_input = has(&["--no-input"]) || printer.is_json();
    match is_confirmed(no_input, has(&["--yes", "-y"]), &printer) {
        Ok(true) => NextStep::Run(guess.arguments),
        Ok(false) => NextStep::Exit(Exit::Usage),
        Err(error) => {
            let failure = Failure::of(&error);
            printer.failure(&failure, &error);
            NextStep::Exit(failure.exit)
        }
    }
}

/// Asks whether to run the command that was probably meant.
fn is_confirmed(no_input: bool, yes: bool, printer: &Printer) -> anyhow::Result<bool> {
    // The command itself creates another runtime.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let prompt = Prompt::new(no_input, printer.clone(), signals::watch()?);
        prompt.answering(yes).offer("Run this command? [Y/n]").await
    })
}

/// Returns the failure for an error of the parser, with the command that was probably meant.
fn describe(error: &Error, guess: Option<&Guess>) -> Failure {
    let described = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Failure::usage("no command given").hint("see --help"),
        // The unexpected argument is not quoted: it may be a misplaced secret.
        ErrorKind::UnknownArgument if !is_flag(error) => Failure::usage("unexpected extra argument")
            .hint("see --help; quote arguments with spaces; --passphrase takes no value"),
        _ => failure(&error.render().to_string()),
    };
    let Some(guess) = guess else { return described };
    let command = shown(&guess.arguments);
    match guess.missing {
        Some(MissingCommand::Download) => {
            Failure::usage("this is a link, not a command").hint(format!("to download it, run `{command}`"))
        }
        Some(MissingCommand::Upload) => {
            Failure::usage("this is a file, not a command").hint(format!("to send it, run `{command}`"))
        }
        None => described.hint(format!("did you mean `{command}`?")),
    }
}

/// Returns whether the rejected argument is a flag.
fn is_flag(error: &Error) -> bool {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.starts_with('-'),
        _ => true,
    }
}

/// Reduces the parser's error text to a message and a hint.
pub(crate) fn failure(rendered: &str) -> Failure {
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
    let is_secret =
        |word: &str| ["#", "%23", "v1.", "v1p.", "v2.", "v2p.", "sgs_"].iter().any(|mark| word.contains(mark));
    // The key of a wrapped link is in several words, so the whole argument is redacted.
    if let (true, Some(first), Some(last)) = (is_secret(text), text.find('\''), text.rfind('\''))
        && first < last
    {
        return format!("{}…{}", &text[..=first], &text[last..]);
    }
    let words = text.split(' ').map(|word| if is_secret(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line;

    fn parse_failure(arguments: &[&str]) -> Failure {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let program = std::iter::once(OsString::from("sgsend"));
        let command = command_line();
        let error = command.clone().try_get_matches_from(program.chain(arguments.iter().cloned())).err().unwrap();
        describe(&error, guess(&command, &arguments, &error).as_ref())
    }

    #[test]
    fn usage_errors_do_not_repeat_secrets() {
        for arguments in [
            &["https://send.example/d/0#v1.secret"] as &[&str],
            &["status", "x", "v1p.secret"],
            &["status", "x", "v2p.secret"],
            &["upload", "--token=sgs_secret", "--nothing", "x", "sgs_secret"],
            &["download", "x", "https://send.example/d/0#v1.secret"],
            &["download", "--- Forwarded\n> https://send.example/d/0#v1.a\n> secret\n"],
            &["https://send.example/d/0%23v1.a\nsecret"],
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
