//! Variables that are called as if they were settings, and are none.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::{Command, CommandFactory};

use crate::cli::arguments::Arguments;
use crate::cli::environment;

/// What the variables begin with that are ours.
const PREFIX: &str = "SGSEND_";
/// Those that neither the command line nor the environment of commands has.
const OTHERS: [&str; 2] = ["SGSEND_LOG", "SGSEND_COMPLETE"];

/// The names in this process's environment that begin as ours do and that nothing reads. Their values are not looked at.
pub(super) fn unknown() -> Vec<String> {
    unknown_of(std::env::vars_os().map(|(name, _)| name))
}

fn unknown_of(names: impl Iterator<Item = OsString>) -> Vec<String> {
    let mut known = environment::NAMES.iter().chain(&OTHERS).map(ToString::to_string).collect();
    add_known(&Arguments::command(), &mut known);
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let unknown: BTreeSet<_> = names.filter(|name| name.starts_with(PREFIX) && !known.contains(name)).collect();
    unknown.into_iter().collect()
}

fn add_known(command: &Command, known: &mut BTreeSet<String>) {
    let names = command.get_arguments().filter_map(clap::Arg::get_env);
    known.extend(names.map(|name| name.to_string_lossy().into_owned()));
    for below in command.get_subcommands() {
        add_known(below, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mistyped_is_found_and_what_is_read_is_not() {
        let names = [
            "SGSEND_RATE_LIMITT",
            "SGSEND_RATE_LIMIT",
            "SGSEND_STORAGE",
            "SGSEND_ADMIN_KEY_FILE",
            "SGSEND_LOG",
            "HOME",
        ];
        assert_eq!(unknown_of(names.into_iter().map(OsString::from)), ["SGSEND_RATE_LIMITT"]);
    }
}
