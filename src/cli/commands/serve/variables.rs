//! Finds unknown `SGSEND_…` environment variables, such as misspelt settings.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::Command;

use super::lambda;
use crate::cli::config::environment;

/// Prefix of the variables of `sgsend`.
const PREFIX: &str = "SGSEND_";
/// Variables that are neither bound to a flag nor in [`environment::NAMES`].
const OTHERS: [&str; 5] =
    ["SGSEND_LOG", "SGSEND_COMPLETE", "SGSEND_METRICS_KEY", "SGSEND_METRICS_KEY_FILE", lambda::ADMIN_KEY_SECRET];

/// Returns the names of unknown variables with the prefix of `sgsend`; empty ones count as unset.
pub(super) fn unknown(command_line: &Command) -> Vec<String> {
    let set = std::env::vars_os().filter(|(_, value)| !value.is_empty());
    unknown_of(command_line, set.map(|(name, _)| name))
}

fn unknown_of(command_line: &Command, names: impl Iterator<Item = OsString>) -> Vec<String> {
    let mut known = environment::NAMES.iter().chain(&OTHERS).map(ToString::to_string).collect();
    add_known(command_line, &mut known);
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let unknown: BTreeSet<_> = names.filter(|name| name.starts_with(PREFIX) && !known.contains(name)).collect();
    unknown.into_iter().collect()
}

fn add_known(command: &Command, known: &mut BTreeSet<String>) {
    let names = command.get_arguments().filter_map(clap::Arg::get_env);
    known.extend(names.map(|name| name.to_string_lossy().into_owned()));
    for subcommand in command.get_subcommands() {
        add_known(subcommand, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_misspelt_variables_are_found() {
        let names = [
            "SGSEND_RATE_LIMITT",
            "SGSEND_RATE_LIMIT",
            "SGSEND_STORAGE",
            "SGSEND_ADMIN_KEY_FILE",
            "SGSEND_CA_FILE",
            "SGSEND_LOG",
            "HOME",
        ];
        assert_eq!(
            unknown_of(&crate::cli::command_line(), names.into_iter().map(OsString::from)),
            ["SGSEND_RATE_LIMITT"]
        );
    }
}
