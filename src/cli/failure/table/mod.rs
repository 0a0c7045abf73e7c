//! The failure table: maps every error to its exit status, error code and hint.

mod api;
mod download;
mod network;
mod upload;

use std::error::Error as StdError;
use std::io;

use super::Failure;
use super::exit::Exit;
use crate::client::ClientError;
use crate::client::decrypt::DecryptError;
use crate::client::download::DownloadError;
use crate::client::pack::PackError;
use crate::client::upload::UploadError;

use self::api::of_client;
use self::download::{of_decrypt, of_download};
use self::upload::{of_pack, of_upload};

/// Converts `error` to a failure. The result always has a hint.
pub(crate) fn of(error: &anyhow::Error) -> Failure {
    let mut failure = known(error);
    failure.hint.get_or_insert_with(|| default_hint(failure.exit).to_owned());
    failure
}

/// Returns the default hint of an exit status.
const fn default_hint(exit: Exit) -> &'static str {
    match exit {
        Exit::Usage => "`sgsend help COMMAND` shows the usage",
        Exit::NotFound => "check the id or link, and the server",
        Exit::Gone => "ask the sender to upload the files again",
        Exit::NotAuthorised => "ask the operator of the server",
        Exit::WrongKey => "check the link; if the link is complete, ask the sender to upload the files again",
        Exit::LimitExceeded => "upload fewer or smaller files, or retry later",
        Exit::Network | Exit::Resumable => "retry later",
        Exit::Unreported => "check the target of stdout",
        Exit::LocalFile => "check the path and its permissions",
        Exit::Interrupted | Exit::Terminated => "run the command again",
        Exit::Done | Exit::Other => "run the command again with --verbose for details",
    }
}

/// Returns the hint of an I/O error on a local file.
pub(crate) fn hint_of_io(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "free disk space, or choose another disk"
        }
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "check its permissions",
        _ => "check the path and its permissions",
    }
}

fn known(error: &anyhow::Error) -> Failure {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        failure.clone()
    } else if let Some(error) = error.downcast_ref::<ClientError>() {
        of_client(error)
    } else if let Some(error) = error.downcast_ref::<UploadError>() {
        of_upload(error)
    } else if let Some(error) = error.downcast_ref::<DownloadError>() {
        of_download(error)
    } else if let Some(error) = error.downcast_ref::<DecryptError>() {
        of_decrypt(error)
    } else if let Some(error) = error.downcast_ref::<PackError>() {
        of_pack(error)
    } else if let Some(error) = error.downcast_ref::<io::Error>() {
        of_io(error)
    } else {
        Failure::new(Exit::Other, "other", with_root_cause(error.as_ref()))
    }
}

/// Returns the error text with its root cause, unless the text already contains the cause.
fn with_root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    let (text, cause) = (error.to_string(), root.to_string());
    if text.contains(&cause) { text } else { format!("{text}: {cause}") }
}

/// Marks a network or server fault as resumable.
fn resumable(failure: Failure) -> Failure {
    Failure { exit: Exit::Resumable, retryable: true, resumable: Some(true), ..failure }
}

fn of_io(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        // The reader closed the pipe, which is not an error.
        return Failure::new(Exit::Done, "broken_pipe", "the reader of the output closed the pipe");
    }
    Failure::new(Exit::LocalFile, "local_io", error.to_string()).hint(hint_of_io(error))
}

#[cfg(test)]
mod tests;
