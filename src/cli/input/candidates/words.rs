//! Completion from the words already typed: global options and profiles.

use std::ffi::OsString;

use clap::{Command, FromArgMatches};
use clap_complete::engine::CompletionCandidate;

use crate::cli::config::environment::Environment;
use crate::cli::config::file::Config;
use crate::cli::config::paths;
use crate::cli::input::global::GlobalOptions;

/// Parses the global options among the words that the completion script passes; ignores errors.
pub(super) fn global(command_line: fn() -> Command) -> Option<GlobalOptions> {
    let words: Vec<OsString> = std::env::args_os().skip(2).collect();
    let command = command_line().ignore_errors(true);
    let matches = command.try_get_matches_from(words).ok()?;
    let mut innermost = &matches;
    while let Some((_, below)) = innermost.subcommand() {
        innermost = below;
    }
    GlobalOptions::from_arg_matches(innermost).ok()
}

/// Completes the profiles of the current configuration.
pub(super) fn profiles(command_line: fn() -> Command) -> Vec<CompletionCandidate> {
    let named_file = global(command_line).and_then(|global| global.config).or_else(|| Environment::read().ok()?.config);
    let file = named_file.or_else(paths::config_file);
    let config = file.and_then(|file| Config::read(&file, true).ok()).unwrap_or_default();
    let candidate = |(name, profile): (String, crate::cli::config::file::Profile)| {
        CompletionCandidate::new(name).help(profile.server.map(Into::into))
    };
    config.profiles.into_iter().map(candidate).collect()
}
