//! Guesses which command was meant by a command line that is wrong.

mod aliases;
mod fixes;
mod shown;

use std::ffi::OsString;

use clap::Command;
use clap::error::{Error, ErrorKind};

pub(crate) use self::shown::{is_link, shown};

/// Maximum number of mistakes in a command line.
const MAX_FIXES: usize = 6;

/// The command line that was probably meant; it parses.
pub(crate) struct Guess {
    /// The arguments, without the name of the program.
    pub(crate) arguments: Vec<OsString>,
    /// Missing command; `None` if the command line names one.
    pub(crate) missing: Option<MissingCommand>,
}

/// Kind of the argument that was given in place of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingCommand {
    /// A link, which `download` takes.
    Download,
    /// A path, which `upload` takes.
    Upload,
}

/// Corrects `arguments`, which `command` rejected with `error`; `None` if no command is obvious.
pub(crate) fn guess(command: &Command, arguments: &[OsString], error: &Error) -> Option<Guess> {
    let missing = fixes::missing_command(arguments, error);
    let mut corrected = fixes::fix(command, arguments, error)?;
    for _ in 0..MAX_FIXES {
        let program = std::iter::once(OsString::from("sgsend"));
        let Err(error) = command.clone().try_get_matches_from(program.chain(corrected.iter().cloned())) else {
            return Some(Guess { arguments: corrected, missing });
        };
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            return Some(Guess { arguments: corrected, missing });
        }
        corrected = fixes::fix(command, &corrected, &error)?;
    }
    None
}

#[cfg(test)]
mod tests;
