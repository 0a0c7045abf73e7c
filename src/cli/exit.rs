//! The exit status: what scripts learn without reading a word.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It was done.
    Done = 0,
    /// Something that no other status names.
    Other = 1,
    /// Usage, a malformed link, or the configuration.
    Usage = 2,
    /// There is no such transfer, token or route.
    NotFound = 3,
    /// The transfer has expired, was exhausted or deleted.
    Gone = 4,
    /// A token or key is missing, wrong, revoked or somebody else's.
    NotAuthorised = 5,
    /// The key or passphrase is wrong, or the payload is damaged.
    WrongKey = 6,
    /// Too large, a quota, or a rate limit.
    TooMuch = 7,
    /// Network or server fault: nothing to resume, worth a retry.
    Network = 8,
    /// A local file exists, is unsafe, has changed, or the disk is full.
    LocalFile = 9,
    /// Network or server fault after some bytes were acknowledged: resumable.
    Resumable = 10,
    /// Ended by SIGINT.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The number that the process ends with.
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
