//! Environment variables that stand for flags: empty ones, booleans, and their names in errors.

use std::env;
use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, ArgAction, Command};

use crate::cli::input::values::boolean;

/// Returns the value of an environment variable; an empty one counts as unset.
pub(crate) fn value_of(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Lets empty variables count as unset, and variables of switches take the words of [`boolean`].
pub(crate) fn with_rules(command: Command) -> Command {
    command.mut_args(apply_rules).mut_subcommands(with_rules)
}

fn apply_rules(argument: Arg) -> Arg {
    let Some(name) = argument.get_env().map(|name| name.to_string_lossy().into_owned()) else { return argument };
    let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
    let argument = if is_switch { argument.value_parser(boolean) } else { argument };
    if !env::var_os(&name).is_some_and(|value| value.is_empty()) {
        return argument;
    }
    // The parser reads an empty variable as a value. Without its variable, an argument keeps the name in its help only.
    let help = argument.get_help().map(|help| format!("{help} [env: {name}]"));
    let argument = argument.env(Resettable::Reset);
    match help {
        Some(help) => argument.help(help),
        None => argument,
    }
}

/// Returns the variable and the flag of an invalid value that the environment has set.
pub(crate) fn source_of(command: &Command, arguments: &[OsString], error: &Error) -> Option<(String, String)> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    let long = flag.split(' ').next()?;
    let is_given = arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .any(|argument| argument.strip_prefix(long).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')));
    if is_given {
        return None;
    }
    let name = variable_of(command, long.strip_prefix("--")?)?;
    value_of(&name).map(|_| (name, flag.clone()))
}

/// Returns the variable of a flag of this command or its subcommands.
fn variable_of(command: &Command, long: &str) -> Option<String> {
    let own = command.get_arguments().filter(|argument| argument.get_long() == Some(long)).find_map(Arg::get_env);
    let own = own.map(|name| name.to_string_lossy().into_owned());
    own.or_else(|| command.get_subcommands().find_map(|command| variable_of(command, long)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line;

    #[test]
    fn the_variable_of_a_flag_is_found_at_any_depth() {
        let command = command_line();
        assert_eq!(variable_of(&command, "max-size").as_deref(), Some("SGSEND_MAX_SIZE"));
        assert_eq!(variable_of(&command, "admin-listen").as_deref(), Some("SGSEND_ADMIN_LISTEN"));
        assert_eq!(variable_of(&command, "json"), None);
    }

    #[test]
    fn every_switch_with_a_variable_takes_the_same_words() {
        fn switches(command: &Command) -> usize {
            let own = command.get_arguments().filter(|argument| matches!(argument.get_action(), ArgAction::SetTrue));
            let own: Vec<_> = own.filter(|argument| argument.get_env().is_some()).collect();
            let debug = own.iter().map(|argument| format!("{:?}", argument.get_value_parser()));
            assert!(debug.into_iter().all(|parser| parser != "ValueParser::bool"), "{}", command.get_name());
            own.len() + command.get_subcommands().map(switches).sum::<usize>()
        }
        assert!(switches(&with_rules(command_line())) >= 6);
    }
}
