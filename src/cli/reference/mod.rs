//! The command reference for `--help` and manual pages. Adds examples and notes to the derived command line.

mod examples;
mod notes;
mod page;

use clap::Command;

pub(super) use page::{ManualPage, pages};

/// Adds examples and notes to the command line.
pub(super) fn with_examples_and_notes(command: Command) -> Command {
    with_examples(command, "sgsend")
}

/// Appends examples to the help of `command` and its subcommands. `name` is the hyphenated command name.
fn with_examples(command: Command, name: &str) -> Command {
    let is_root = name == "sgsend";
    let command = match examples::of(name) {
        Some(text) if is_root => {
            let short = format!("{}\n\nRun `sgsend help COMMAND` for details.", examples::as_help(text));
            let long = format!("{}\n\n{}", examples::as_help(text), notes::as_help());
            command.after_help(short).after_long_help(long)
        }
        Some(text) => command.after_help(examples::as_help(text)),
        None => command,
    };
    command.mut_subcommands(|below| {
        let path = if is_root { below.get_name().to_owned() } else { format!("{name}-{}", below.get_name()) };
        with_examples(below, &path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line;

    /// Collects the hyphenated names of all subcommands of `command`.
    fn names(command: &Command, prefix: &str, found: &mut Vec<String>) {
        for below in command.get_subcommands() {
            let name = format!("{prefix}{}", below.get_name());
            names(below, &format!("{name}-"), found);
            found.push(name);
        }
    }

    #[test]
    fn every_command_has_examples_and_every_example_has_a_command() {
        let mut found = vec!["sgsend".to_owned()];
        names(&command_line(), "", &mut found);
        for name in &found {
            assert!(examples::of(name).is_some(), "{name} has no examples");
        }
        for name in examples::names() {
            assert!(found.iter().any(|command| command == name), "no command {name}");
        }
    }

    #[test]
    fn every_example_is_a_valid_command_line() {
        let mut parsed_lines = 0;
        for name in examples::names() {
            for line in examples::of(name).unwrap().lines().filter(|line| !line.starts_with('#')) {
                for words in examples::calls(line) {
                    parsed_lines += 1;
                    let parsed = command_line().try_get_matches_from(&words);
                    assert!(parsed.is_ok(), "{words:?}: {}", parsed.err().unwrap());
                }
            }
        }
        assert!(parsed_lines > 40, "too few examples found: {parsed_lines}");
    }
}
