//! Exit statuses of the command line.

use std::process::ExitCode;

/// Exit status of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success.
    Done = 0,
    /// Any error without a more specific status.
    Other = 1,
    /// Wrong usage, malformed link or invalid configuration.
    Usage = 2,
    /// Transfer, token or route not found.
    NotFound = 3,
    /// The transfer has expired, reached its download limit or was deleted.
    Gone = 4,
    /// A sender token or admin key is missing, wrong or revoked, or belongs to another sender or server.
    NotAuthorised = 5,
    /// The key or passphrase is wrong, or the payload is damaged.
    WrongKey = 6,
    /// Size limit, quota or rate limit exceeded.
    LimitExceeded = 7,
    /// Network or server fault with nothing to resume; a retry may succeed.
    Network = 8,
    /// A local file exists, is unsafe or has changed, or the disk is full.
    LocalFile = 9,
    /// Network or server fault after the first acknowledged bytes; resumable.
    Resumable = 10,
    /// The content was saved, but the result cannot be written to stdout.
    Unreported = 11,
    /// Ended by SIGINT.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// Returns the exit status of the process.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.number().into()
    }
}
