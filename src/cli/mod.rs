//! The command line: one module per command, with its arguments and its `run` function.

mod commands;
pub mod config;
mod context;
mod failure;
mod guess;
mod input;
mod memory;
mod output;
mod reference;
mod signals;
mod streams;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use self::commands::Arguments;
use self::config::service_file::{self, ParseFailure};
use self::config::{paths, variables};
use self::failure::Failure;
pub use self::failure::exit::Exit;
use self::failure::usage::NextStep;
pub use self::output::printer::Printer;
use self::output::style::ColorChoice;
use crate::client::UnfinishedTransfer;

/// Parses the arguments of this process, runs the command, and returns the exit status.
#[must_use]
pub fn main() -> ExitCode {
    memory::protect();
    if let Some(response) = commands::completions::respond(command_line) {
        // A write error is ignored: the shell has closed the pipe.
        let _ = Printer::before_parsing(false, ColorChoice::Never).text(&response);
        return Exit::Done.into();
    }
    remove_stale_state();
    let given: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut given = commands::serve::lambda::arguments(&given).unwrap_or(given);
    let arguments = loop {
        // Without examples and notes, which only help texts have.
        let parsed = service_file::parse(variables::with_rules(Arguments::command()), &given);
        let parsed =
            parsed.and_then(|matches| Arguments::from_arg_matches(&matches).map_err(ParseFailure::CommandLine));
        match parsed {
            Ok(arguments) => break arguments,
            Err(ParseFailure::File(failure)) => {
                let is_json = given.iter().any(|argument| argument == "--json");
                Printer::before_parsing(is_json, ColorChoice::Auto).failure(&failure, &failure.clone().into());
                return failure.exit.into();
            }
            Err(ParseFailure::CommandLine(error)) => {
                let command = variables::with_rules(command_line());
                let error = with_reference(error, &command, &given);
                match failure::usage::report(&command, &given, &error) {
                    NextStep::Run(arguments) => given = arguments,
                    NextStep::Exit(exit) => return exit.into(),
                }
            }
        }
    };
    let printer = Printer::new(&arguments.global);
    match commands::run(arguments, &printer) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let failure = Failure::of(&error);
            if failure.exit != Exit::Done {
                printer.failure(&failure, &error);
            }
            failure.exit.into()
        }
    }
}

/// Returns a help text with the examples and notes of `command`; other errors unchanged.
fn with_reference(error: clap::Error, command: &clap::Command, given: &[OsString]) -> clap::Error {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let program = std::iter::once(OsString::from("sgsend")).chain(given.iter().cloned());
            command.clone().try_get_matches_from(program).err().unwrap_or(error)
        }
        _ => error,
    }
}

/// Removes the state, such as keys, of transfers that can no longer be resumed. Runs at every start; ignores errors.
fn remove_stale_state() {
    if let (Some(uploads), Some(downloads)) = (paths::uploads_directory(), paths::downloads_directory()) {
        UnfinishedTransfer::remove_stale(&uploads, &downloads);
    }
}

/// Returns the definition of the command line, with the examples and notes of the help texts.
fn command_line() -> clap::Command {
    reference::with_examples_and_notes(Arguments::command())
}
