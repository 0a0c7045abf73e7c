//! Failures of downloads, and of decrypting, writing and unpacking their content.

use std::io;
use std::path::Path;

use bytesize::ByteSize;

use super::api::of_client;
use super::{of_io, resumable, with_root_cause};
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::output::escape;
use crate::cli::output::time;
use crate::client::Signal;
use crate::client::decrypt::{DecryptError, IndexError, OutputError, UnpackFailure};
use crate::client::download::DownloadError;
use crate::client::free_space::is_full;
use crate::domain::crypto::envelope::EnvelopeError;
use crate::domain::crypto::sealed::OpenError;
use crate::domain::people::sender_signature::RejectedSignature;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;

/// Hint for a partial download that the command can resume.
const RESUME_DOWNLOAD: &str = "run the same command with --resume, which does not count as another download";

pub(super) fn of_download(error: &DownloadError) -> Failure {
    let message = with_root_cause(error);
    match error {
        DownloadError::Client(error) => of_client(error),
        DownloadError::Gone(status) => {
            let (code, reason) = match status {
                Status::Expired => ("transfer_expired", "expired"),
                Status::Exhausted => ("transfer_exhausted", "exhausted"),
                Status::Closed => ("link_closed", "closed"),
                Status::Deleted | Status::Pending | Status::Completed => ("transfer_deleted", "deleted"),
            };
            let failure = Failure::new(Exit::Gone, code, message).hint("ask the sender to upload the files again");
            Failure { reason: Some(reason), ..failure }
        }
        DownloadError::NotComplete => {
            Failure::new(Exit::Other, "not_completed", message).hint("retry after the upload has finished").retryable()
        }
        DownloadError::WrongKey | DownloadError::Unwrap(_) => wrong_key(message),
        DownloadError::Size(_) => Failure::new(Exit::WrongKey, "damaged_payload", message),
        DownloadError::SizeChanged { .. } => Failure::new(Exit::Network, "unknown_answer", message)
            .hint("the server contradicts itself; report the error to the operator of the server"),
        DownloadError::TooLarge { size, limit } => Failure::download_too_large(*size, ByteSize(*limit))
            .hint("nothing was downloaded or counted; raise --max-download-size to download it"),
        DownloadError::WrongRange => Failure::new(Exit::Network, "unknown_answer", message).hint("retry").retryable(),
        DownloadError::Decrypt(error) => of_decrypt(error),
        DownloadError::OutputFailed { error, free_retry_until } => of_counted(error, *free_retry_until),
        DownloadError::Unfinished(error) => resumable(of_client(error)).hint(RESUME_DOWNLOAD),
        DownloadError::Interrupted { signal, resumable, free_retry_until } => {
            let failure = Failure { resumable: Some(*resumable), ..Failure::interrupted(*signal) };
            failure.hint(match free_retry_until {
                _ if *resumable => RESUME_DOWNLOAD.to_owned(),
                None => "no partial download was kept; run the command again".to_owned(),
                Some(until) => format!(
                    "run the command again; until {}, it does not count as another download",
                    time::local(*until)
                ),
            })
        }
    }
}

/// Converts an output error that occurred after the server had counted the download.
fn of_counted(error: &OutputError, free_retry_until: Option<Timestamp>) -> Failure {
    const COUNTED: &str = "the download was counted";
    let failure = of_output(error);
    if matches!(error, OutputError::Disk { is_kept: true, .. }) {
        return failure;
    }
    if matches!(error, OutputError::Unpack(_) | OutputError::Interrupted) || failure.exit == Exit::Done {
        return failure;
    }
    let command = match error {
        OutputError::Exists(_) => "run the same command with --rename or --overwrite",
        OutputError::DirectoryExists(_) => "run the same command with --rename or --no-extract",
        OutputError::Rejected(_) => "run the same command with another -o",
        OutputError::TooLarge { .. } => "to save it, run the same command with a larger --max-download-size",
        OutputError::Disk { source, .. } if is_full(source) => {
            "free disk space and run the same command, or choose another disk with -o"
        }
        _ => "fix the problem and run the same command, or choose another -o",
    };
    let hint = free_retry_until.map_or_else(
        || format!("{COUNTED}: {command}; this command counts as another download, since no partial download was kept"),
        |until| {
            format!(
                "{COUNTED}: {command}; until {}, this command does not count as another download",
                time::local(until)
            )
        },
    );
    failure.hint(hint)
}

fn wrong_key(message: String) -> Failure {
    Failure::new(Exit::WrongKey, "wrong_key", message)
        .hint("check that the link is complete and that any passphrase is correct")
}

/// Converts a missing or invalid signature: nothing of the content was saved.
fn of_signature(error: &RejectedSignature, message: String) -> Failure {
    let (code, hint) = match error {
        RejectedSignature::Unsigned => ("unsigned", "ask the sender to upload the files with --sign"),
        RejectedSignature::OtherSender(_) => (
            "other_sender",
            "somebody may pretend to be the sender: ask the sender in person or by phone which key is theirs; nothing was \
             downloaded or counted",
        ),
        RejectedSignature::SomeoneElse => (
            "signed_for_someone_else",
            "somebody may have forwarded it as if it were for you; ask the sender to send it to you",
        ),
        _ => (
            "signature_invalid",
            "nothing was saved; the server or somebody with the link may have changed the transfer",
        ),
    };
    Failure::new(Exit::WrongKey, code, message).hint(hint)
}

pub(super) fn of_decrypt(error: &DecryptError) -> Failure {
    let message = with_root_cause(error);
    let damaged = |message| Failure::new(Exit::WrongKey, "damaged_payload", message);
    match error {
        DecryptError::Open(OpenError::Unauthentic { index: 0 }) => wrong_key(message),
        DecryptError::Open(OpenError::Header(_)) => {
            damaged(message).hint("check that the file is an encrypted payload of a service, not its decrypted content")
        }
        DecryptError::Open(OpenError::Unauthentic { .. } | OpenError::Truncated | OpenError::Extended) => {
            damaged(message).hint("the data written so far is authentic but incomplete; download the file again")
        }
        DecryptError::Envelope(EnvelopeError::NotAnEnvelope) => {
            damaged(message).hint("`sgsend open --raw` writes the plaintext of a payload without an envelope")
        }
        DecryptError::Envelope(_) => damaged(message).hint("ask the sender to upload the files again"),
        DecryptError::Signature(error) => of_signature(error, message),
        DecryptError::Index(error) => of_index(error, message),
        DecryptError::Output(error) => of_output(error),
    }
}

fn of_index(error: &IndexError, message: String) -> Failure {
    const WHOLE: &str = "download the whole archive, without --list and --only";
    match error {
        IndexError::NotAnArchive => Failure::usage(message).hint("omit --only to download the file"),
        IndexError::Missing => Failure::new(Exit::Other, "no_index", message).hint(WHOLE),
        IndexError::NoMatch(_) => Failure::new(Exit::NotFound, "no_match", message)
            .hint("--list shows all entries; running the command again does not count as another download"),
        IndexError::Invalid(_) | IndexError::Wrong { .. } => {
            Failure::new(Exit::WrongKey, "wrong_index", message).hint(WHOLE)
        }
    }
}

fn of_output(error: &OutputError) -> Failure {
    let message = with_root_cause(error);
    match error {
        OutputError::Exists(_) => Failure::new(Exit::LocalFile, "file_exists", message)
            .hint("choose another name with --rename or -o, or replace the file with --overwrite"),
        OutputError::DirectoryExists(_) => Failure::new(Exit::LocalFile, "file_exists", message)
            .hint("choose another name with --rename or -o, or save the archive itself with --no-extract"),
        OutputError::Unpack(failed) => of_unpack(failed),
        OutputError::Busy(_) => Failure::new(Exit::LocalFile, "file_busy", message)
            .hint("wait for the other process, or choose another directory with -o"),
        OutputError::Write(cause) if cause.kind() == io::ErrorKind::BrokenPipe => of_io(cause),
        OutputError::Create { .. } | OutputError::Write(_) => Failure::new(Exit::LocalFile, "file_unwritable", message)
            .hint("check the disk, the directory and its permissions, or choose another directory with -o"),
        OutputError::Disk { directory, source, missing, is_kept } if is_full(source) => {
            of_full_disk(directory, *missing, *is_kept)
        }
        OutputError::Disk { is_kept, .. } => {
            let failure = Failure::new(Exit::LocalFile, "file_unwritable", message);
            if *is_kept {
                let failure = Failure { resumable: Some(true), ..failure };
                return failure.hint(format!("the content so far is kept: check the disk, then {RESUME_DOWNLOAD}"));
            }
            failure.hint("check the disk, or choose another directory with -o")
        }
        OutputError::Interrupted => Failure::interrupted(Signal::Interrupt),
        OutputError::TooLarge { size, limit } => Failure::download_too_large(*size, ByteSize(*limit)),
        OutputError::Rejected(_) => Failure::new(Exit::LocalFile, "file_refused", message)
            .hint("name a file with -o, or print to the terminal with -o -"),
    }
}

fn of_full_disk(directory: &Path, missing: Option<u64>, is_kept: bool) -> Failure {
    let space = missing.map_or_else(|| "disk space".to_owned(), |missing| ByteSize(missing).to_string());
    let needed = missing.map_or_else(String::new, |_| format!(": {space} more is needed"));
    let message = format!("the disk with {} is full{needed}", directory.display());
    let failure = Failure::new(Exit::LocalFile, "disk_full", message);
    if is_kept {
        let failure = Failure { resumable: Some(true), ..failure };
        return failure.hint(format!("the content so far is kept: free {space}, then {RESUME_DOWNLOAD}"));
    }
    failure.hint(format!("free {space}, or choose another directory with -o"))
}

fn of_unpack(failed: &UnpackFailure) -> Failure {
    let message = with_root_cause(&failed.error);
    let code = if failed.error.is_unsafe() { "unsafe_archive" } else { "file_unwritable" };
    let hint = failed.kept.as_ref().map_or_else(
        || "nothing was unpacked; --no-extract saves the archive itself".to_owned(),
        |archive| {
            format!(
                "nothing was unpacked; the archive is in {}; list its entries with tar -tvf",
                escape::for_shell(archive)
            )
        },
    );
    Failure::new(Exit::LocalFile, code, message).hint(hint)
}
