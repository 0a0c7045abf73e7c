//! Failures of uploads, and of packing their files.

use super::api::of_client;
use super::{resumable, with_root_cause};
use crate::cli::failure::exit::Exit;
use crate::cli::failure::{Failure, RAISE_BODY_LIMIT};
use crate::cli::input::spool::SPOOL_HINT;
use crate::client::pack::PackError;
use crate::client::upload::{InterruptedState, JournalError, SourceError, UploadError};
use crate::domain::id::TransferId;
use crate::domain::people::recipient_keys::WrapKeysError;

pub(super) fn of_upload(error: &UploadError) -> Failure {
    let message = with_root_cause(error);
    if error.is_changed() {
        let hint = if error.is_grown() {
            "the transfer was deleted; to send a growing file as it is now, add --snapshot"
        } else {
            "the transfer was deleted; upload the file again when no program writes to it"
        };
        return Failure::new(Exit::LocalFile, "file_changed", message).hint(hint);
    }
    match error {
        UploadError::Client(error) | UploadError::PartsMissing(error) => of_client(error),
        UploadError::TooLarge { .. } => {
            Failure::new(Exit::LimitExceeded, "payload_too_large", message).hint("upload fewer or smaller files")
        }
        UploadError::Lifetime { .. } => Failure::usage(message).hint("choose another --expires"),
        UploadError::Message => Failure::usage(message).hint("shorten the message, or send it as a file"),
        UploadError::TooManyLinks => Failure::usage(message).hint("upload the files again for the other recipients"),
        UploadError::Downloads => Failure::usage(message).hint("choose another --downloads, or omit it"),
        UploadError::Seal(_) => Failure::new(Exit::LocalFile, "unsealable", message).hint("choose a shorter --name"),
        UploadError::Source(SourceError::Changed { .. } | SourceError::Read(_) | SourceError::ReadIn { .. }) => {
            Failure::new(Exit::LocalFile, "file_unreadable", message)
        }
        UploadError::Journal(JournalError::Changed | JournalError::Write(_)) => {
            Failure::new(Exit::LocalFile, "state_unwritable", message)
                .hint("check the disk and the permissions of the state directory")
        }
        UploadError::TooManyBytes { .. } => Failure::new(Exit::Network, "unknown_answer", message)
            .hint("the server reports a wrong size; report the error to the operator of the server"),
        UploadError::PieceTooLarge { .. } => {
            Failure::new(Exit::LimitExceeded, "proxy_limit", message).hint(RAISE_BODY_LIMIT)
        }
        UploadError::OtherPassphrase => Failure::usage(message)
            .hint("enter the passphrase of the unfinished upload, or omit --resume to start a new upload"),
        UploadError::OtherSigner => {
            Failure::usage(message).hint("pass the same --sign as before, or omit --resume to start a new upload")
        }
        UploadError::Recipients(WrapKeysError::Plugin(_)) => Failure::new(Exit::LocalFile, "plugin_failed", message)
            .hint("install the plugin, and check that the device of its key is there if it needs that"),
        UploadError::Recipients(_) => Failure::usage(message).hint("name fewer recipients with --to"),
        UploadError::Sign(_) => Failure::new(Exit::LocalFile, "unsigned", message)
            .hint("check the key, or the agent and SSH_AUTH_SOCK; then run the same command with --resume"),
        UploadError::Unfinished { error, id } => resumable(of_client(error)).hint(resume_or_delete(*id)),
        UploadError::Interrupted { signal, state } => {
            let failure = Failure::interrupted(*signal);
            match state {
                InterruptedState::Resumable(id) => {
                    Failure { resumable: Some(true), ..failure }.hint(resume_or_delete(*id))
                }
                InterruptedState::Deleted => failure.hint("the unfinished transfer was deleted"),
                InterruptedState::Unknown => {
                    failure.hint("an unfinished transfer may remain on the server, which removes it within a day")
                }
            }
        }
    }
}

/// Returns the hint for an unfinished upload.
fn resume_or_delete(id: TransferId) -> String {
    format!("resume: run the same command with --resume; or delete it: sgsend delete {id}")
}

pub(super) fn of_pack(error: &PackError) -> Failure {
    const LINK: &str = "nothing was uploaded; follow links with --dereference, or leave such entries out with \
                        --skip-unsendable or --exclude";
    let message = with_root_cause(error);
    let failed = |code| Failure::new(Exit::LocalFile, code, message.clone());
    match error {
        PackError::Unreadable { .. } => failed("file_unreadable")
            .hint(
            "nothing was uploaded; check the path and its permissions, or leave it out with --skip-unsendable or --exclude",
        ),
        PackError::Link(_) => failed("link_leads_out").hint(LINK),
        PackError::Name(_) => {
            failed("unfit_name")
                .hint("nothing was uploaded; rename the entry, or leave it out with --skip-unsendable or --exclude")
        }
        PackError::Special(_) => failed("special_file").hint("nothing was uploaded; omit the path"),
        PackError::TooMany => failed("too_many_files").hint("upload it in parts, or pack it first and upload one file"),
        PackError::NothingSendable(_) => failed("nothing_sendable").hint("name other paths"),
        PackError::Spool { .. } => failed("spool").hint(SPOOL_HINT),
        PackError::TooLarge { .. } => Failure::new(Exit::LimitExceeded, "payload_too_large", message)
            .hint("leave the file out with --exclude"),
        PackError::Nothing => Failure::usage(message).hint("omit --exclude, or name other paths"),
    }
}
