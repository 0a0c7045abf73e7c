//! The failure table: maps every error to its exit status, error code and hint.

use std::error::Error as StdError;
use std::io;

use super::Failure;
use super::exit::Exit;
use crate::cli::output::escape;
use crate::client::decrypt::{NotUnpacked, OutputError, UnsealError};
use crate::client::download::DownloadError;
use crate::client::pack::PackError;
use crate::client::upload::{InterruptedState, JournalError, SourceError, UploadError};
use crate::client::{ApiError, ClientError, StoreError};
use crate::domain::crypto::envelope::EnvelopeError;
use crate::domain::crypto::sealed::OpenError;
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;

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
        Exit::Gone => "ask the sender to upload it again",
        Exit::NotAuthorised => "ask the operator of the server",
        Exit::WrongKey => "check the link; if it is complete, ask the sender to upload it again",
        Exit::TooMuch => "upload less, or retry later",
        Exit::Network | Exit::Resumable => "retry later",
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
    } else if let Some(error) = error.downcast_ref::<UnsealError>() {
        of_unseal(error)
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

fn of_client(error: &ClientError) -> Failure {
    let message = with_root_cause(error);
    let network = |code| Failure::new(Exit::Network, code, message.clone());
    match error {
        ClientError::Api(refusal) => of_refusal(refusal),
        ClientError::Unreachable { .. } => {
            network("unreachable").hint("check the address, and that the server is running").retryable()
        }
        ClientError::Certificate { .. } => {
            network("untrusted_certificate").hint("pass the CA certificate of the server with --ca-file")
        }
        ClientError::NotTls { .. } => {
            network("not_tls").hint("this port serves plain http: use an http address, or the https port")
        }
        ClientError::Broken { .. } | ClientError::Incomplete { .. } => {
            network("connection_lost").hint("retry").retryable()
        }
        ClientError::Timeout { .. } => network("timeout").hint("retry, or allow more time with --timeout").retryable(),
        ClientError::Redirected { to, .. } => {
            let to = to.as_ref().map_or_else(String::new, |to| format!(": {to}"));
            network("redirected").hint(format!("use the target of the redirect{to}"))
        }
        ClientError::InvalidResponse { .. } => network("unknown_answer")
            .hint("check that the address belongs to an sgsend service, and that sgsend is up to date"),
        ClientError::Unsupported(_) => {
            Failure::new(Exit::Other, "unsupported", message).hint("use a newer version of sgsend")
        }
        ClientError::Store(error) => of_store(error),
        ClientError::Flow { .. } => Failure::new(Exit::Usage, "flow_unavailable", message)
            .hint("omit --flow to use the route that the server chooses"),
        ClientError::PlainHttp { .. } => Failure::new(Exit::Usage, "plain_http", message)
            .hint("use an https address, or --insecure-http if anyone on the network path may read the requests"),
        ClientError::ForeignOrigin(_) => Failure::new(Exit::NotAuthorised, "foreign_origin", message)
            .hint("use the secret that belongs to this server"),
        ClientError::Unsendable(_) => Failure::new(Exit::Usage, "malformed_secret", message),
        ClientError::Roots(_) => Failure::new(Exit::Usage, "ca_file", message).hint("--ca-file takes PEM certificates"),
        ClientError::Setup(_) => Failure::new(Exit::Other, "setup", message),
    }
}

fn of_store(error: &StoreError) -> Failure {
    const USE_SERVER: &str =
        "the server keeps payloads in this store; --flow bytes transfers them through the server, if it allows that";
    match error {
        StoreError::Unreachable(inner) => {
            let failure = of_client(inner);
            if matches!(inner, ClientError::Certificate { .. }) { failure } else { failure.hint(USE_SERVER) }
        }
        StoreError::Lost(inner) => of_client(inner),
        StoreError::Loopback { .. } => Failure::new(Exit::Network, "unreachable", error.to_string()).hint(USE_SERVER),
        StoreError::Refused { .. } => {
            let failure = Failure::new(Exit::Network, "store_refused", error.to_string());
            let failure = Failure { retryable: error.is_transient(), ..failure };
            let hint = if error.is_transient() {
                "retry later"
            } else {
                "report it to the operator of the server, or use --flow bytes"
            };
            failure.hint(hint)
        }
    }
}

fn of_refusal(refusal: &ApiError) -> Failure {
    let message = refusal.detail.clone();
    let code = refusal.code_text.clone();
    let Some(known) = refusal.code else {
        let exit = match refusal.status {
            401 | 403 => Exit::NotAuthorised,
            404 => Exit::NotFound,
            410 => Exit::Gone,
            413 | 429 => Exit::TooMuch,
            500.. => Exit::Network,
            _ => Exit::Other,
        };
        let failure =
            Failure { code: code.into(), retryable: refusal.is_transient(), ..Failure::new(exit, "", message) };
        return failure.hint("check that the address belongs to an sgsend service");
    };
    let (exit, hint) = of_code(known);
    let reason = match known {
        ErrorCode::TransferExpired => Some("expired"),
        ErrorCode::TransferExhausted => Some("exhausted"),
        ErrorCode::TransferDeleted => Some("deleted"),
        _ => None,
    };
    let retryable = refusal.is_transient() || matches!(known, ErrorCode::NotCompleted | ErrorCode::UploadInProgress);
    let mut failure = Failure { reason, code: code.into(), retryable, ..Failure::new(exit, "", message) };
    failure.hint = hint.map(str::to_owned);
    if let Some(wait) = refusal.retry_after {
        failure.hint = Some(format!("retry in {} s", wait.as_secs()));
    }
    failure
}

/// Returns the exit status and the hint of an error code of the API.
const fn of_code(code: ErrorCode) -> (Exit, Option<&'static str>) {
    match code {
        ErrorCode::InvalidRequest | ErrorCode::InvalidId => (Exit::Usage, None),
        ErrorCode::TokenMissing => (
            Exit::NotAuthorised,
            Some("pass a sender token with --token-file or SGSEND_TOKEN, or save one with `sgsend login`"),
        ),
        ErrorCode::TokenInvalid | ErrorCode::TokenRevoked | ErrorCode::TokenExpired => {
            (Exit::NotAuthorised, Some("ask the operator of the server for a new sender token"))
        }
        ErrorCode::NotYourTransfer => (Exit::NotAuthorised, Some("use the token that created the transfer")),
        ErrorCode::AdminKeyInvalid => {
            (Exit::NotAuthorised, Some("pass the admin key with --admin-key-file or SGSEND_ADMIN_KEY_FILE"))
        }
        ErrorCode::GrantInvalid | ErrorCode::OriginNotAllowed => (Exit::NotAuthorised, None),
        ErrorCode::AccessRequired | ErrorCode::AccessInvalid => {
            (Exit::WrongKey, Some("check that the link is complete, and the passphrase, if it has one"))
        }
        ErrorCode::TransferNotFound => (Exit::NotFound, Some("check the link and the server")),
        ErrorCode::TokenNotFound => (Exit::NotFound, Some("`sgsend token list` shows all tokens")),
        ErrorCode::RouteNotFound | ErrorCode::MethodNotAllowed => {
            (Exit::NotFound, Some("check the address: the public and the admin service have different ones"))
        }
        ErrorCode::TransferExpired | ErrorCode::TransferExhausted | ErrorCode::TransferDeleted => {
            (Exit::Gone, Some("ask the sender to upload it again"))
        }
        ErrorCode::GrantExpired => (Exit::Gone, Some("run the command again")),
        ErrorCode::NotCompleted => (Exit::Other, Some("retry when the upload has finished")),
        ErrorCode::TransferNotPending
        | ErrorCode::UploadIncomplete
        | ErrorCode::OffsetMismatch
        | ErrorCode::SizeMismatch
        | ErrorCode::IdempotencyMismatch
        | ErrorCode::WrongMode => (Exit::Other, None),
        ErrorCode::RangeNotSatisfiable => (Exit::WrongKey, None),
        ErrorCode::PayloadTooLarge => (Exit::TooMuch, Some("upload less")),
        ErrorCode::QuotaExceeded => (Exit::TooMuch, Some("ask the operator of the server for another sender token")),
        ErrorCode::RateLimited | ErrorCode::EventLimitReached => (Exit::TooMuch, Some("retry later")),
        ErrorCode::UploadInProgress
        | ErrorCode::RequestTimeout
        | ErrorCode::InternalError
        | ErrorCode::StorageUnavailable => (Exit::Network, Some("retry later")),
        ErrorCode::StorageFull => (Exit::Network, Some("report it to the operator of the server")),
    }
}

fn of_upload(error: &UploadError) -> Failure {
    let message = with_root_cause(error);
    if error.is_changed() {
        return Failure::new(Exit::LocalFile, "file_changed", message)
            .hint("the transfer was deleted; upload the file again when no program writes to it");
    }
    match error {
        UploadError::Client(error) | UploadError::GivenUp(error) => of_client(error),
        UploadError::TooLarge { .. } => Failure::new(Exit::TooMuch, "payload_too_large", message).hint("upload less"),
        UploadError::Lifetime { .. } => Failure::usage(message).hint("choose another --expires"),
        UploadError::Downloads => Failure::usage(message).hint("choose another --downloads, or omit it"),
        UploadError::Unsealable(_) => {
            Failure::new(Exit::LocalFile, "unsealable", message).hint("choose a shorter --name")
        }
        UploadError::Source(
            SourceError::Changed | SourceError::ChangedIn { .. } | SourceError::Read(_) | SourceError::ReadIn { .. },
        ) => Failure::new(Exit::LocalFile, "file_unreadable", message),
        UploadError::Journal(JournalError::Changed | JournalError::Write(_)) => {
            Failure::new(Exit::LocalFile, "state_unwritable", message)
                .hint("check the disk and the permissions of the state directory")
        }
        UploadError::TooManyBytes { .. } => Failure::new(Exit::Network, "unknown_answer", message)
            .hint("the server reports a wrong size; report it to the operator of the server"),
        UploadError::NoStateDirectory => Failure::new(Exit::LocalFile, "no_home", message)
            .hint("set HOME or XDG_STATE_HOME, or use --no-resume-state"),
        UploadError::PassphraseNeeded => Failure::new(Exit::Gone, "unfinished_gone", message)
            .hint("run the command again to start a new upload; it needs the passphrase"),
        UploadError::OtherPassphrase => {
            Failure::usage(message).hint("enter that passphrase, or omit --resume to start a new upload with this one")
        }
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

/// Marks a network or server fault as resumable.
fn resumable(failure: Failure) -> Failure {
    Failure { exit: Exit::Resumable, retryable: true, resumable: Some(true), ..failure }
}

/// Hint for an unfinished download.
const RESUME_DOWNLOAD: &str = "run the same command with --resume; it does not count as another download";

fn of_download(error: &DownloadError) -> Failure {
    let message = with_root_cause(error);
    match error {
        DownloadError::Client(error) => of_client(error),
        DownloadError::Gone(status) => {
            let (code, reason) = match status {
                Status::Expired => ("transfer_expired", "expired"),
                Status::Exhausted => ("transfer_exhausted", "exhausted"),
                Status::Deleted | Status::Pending | Status::Completed => ("transfer_deleted", "deleted"),
            };
            let failure = Failure::new(Exit::Gone, code, message).hint("ask the sender to upload it again");
            Failure { reason: Some(reason), ..failure }
        }
        DownloadError::NotComplete => {
            Failure::new(Exit::Other, "not_completed", message).hint("retry when the upload has finished").retryable()
        }
        DownloadError::WrongKey => wrong_key(message),
        DownloadError::Size(_) => Failure::new(Exit::WrongKey, "damaged_payload", message),
        DownloadError::OtherRange => Failure::new(Exit::Network, "unknown_answer", message).hint("retry").retryable(),
        DownloadError::Unseal(error) => of_unseal(error),
        DownloadError::OutputFailed { error, free_retry_until } => of_counted(error, *free_retry_until),
        DownloadError::Unfinished(error) => resumable(of_client(error)).hint(RESUME_DOWNLOAD),
        DownloadError::Interrupted { signal, resumable } => {
            let failure = Failure { resumable: Some(*resumable), ..Failure::interrupted(*signal) };
            failure.hint(if *resumable {
                RESUME_DOWNLOAD
            } else {
                "no partial download was kept; run the command again"
            })
        }
    }
}

/// Converts an output error after the server has counted the download.
fn of_counted(error: &OutputError, free_retry_until: Option<Timestamp>) -> Failure {
    const COUNTED: &str = "the download was counted";
    let failure = of_output(error);
    if matches!(error, OutputError::Unpack(_)) || failure.exit == Exit::Done {
        return failure;
    }
    let command = match error {
        OutputError::Exists(_) => "run the same command with --rename or --overwrite",
        OutputError::NotNew(_) => "run the same command with --rename or --no-extract",
        OutputError::Refused(_) => "run the same command with another -o",
        _ => "fix the problem and run the same command, or choose another -o",
    };
    let hint = free_retry_until.map_or_else(
        || format!("{COUNTED}: {command}; it counts as another download, since no partial download could be kept"),
        |until| format!("{COUNTED}: {command}; until {} this does not count again", until.for_people()),
    );
    failure.hint(hint)
}

fn wrong_key(message: String) -> Failure {
    Failure::new(Exit::WrongKey, "wrong_key", message)
        .hint("check that the link is complete, and the passphrase, if it has one")
}

fn of_unseal(error: &UnsealError) -> Failure {
    let message = with_root_cause(error);
    let damaged = |message| Failure::new(Exit::WrongKey, "damaged_payload", message);
    match error {
        UnsealError::Open(OpenError::Unauthentic { index: 0 }) => wrong_key(message),
        UnsealError::Open(OpenError::Header(_)) => {
            damaged(message).hint("check that the file is an encrypted payload of a service, not its decrypted content")
        }
        UnsealError::Open(OpenError::Unauthentic { .. } | OpenError::Truncated | OpenError::Extended) => {
            damaged(message).hint("the data before this point is authentic, the rest is missing; download it again")
        }
        UnsealError::Envelope(EnvelopeError::NotAnEnvelope) => {
            damaged(message).hint("`sgsend open --raw` writes the plaintext of a payload without an envelope")
        }
        UnsealError::Envelope(_) => damaged(message).hint("ask the sender to upload it again"),
        UnsealError::Output(error) => of_output(error),
    }
}

fn of_output(error: &OutputError) -> Failure {
    let message = with_root_cause(error);
    match error {
        OutputError::Exists(_) => Failure::new(Exit::LocalFile, "file_exists", message)
            .hint("choose another name with --rename or -o, or replace the file with --overwrite"),
        OutputError::NotNew(_) => Failure::new(Exit::LocalFile, "file_exists", message)
            .hint("choose another name with --rename or -o, or save the archive itself with --no-extract"),
        OutputError::Unpack(failed) => of_unpack(failed),
        OutputError::Busy(_) => Failure::new(Exit::LocalFile, "file_busy", message)
            .hint("wait for the other process, or choose another directory with -o"),
        OutputError::Write(cause) if cause.kind() == io::ErrorKind::BrokenPipe => of_io(cause),
        OutputError::Create { .. } | OutputError::Write(_) => Failure::new(Exit::LocalFile, "file_unwritable", message)
            .hint("check the disk, the directory and its permissions, or choose another directory with -o"),
        OutputError::Refused(_) => Failure::new(Exit::LocalFile, "file_refused", message)
            .hint("name a file with -o, or print to the terminal with -o -"),
    }
}

fn of_unpack(failed: &NotUnpacked) -> Failure {
    let message = with_root_cause(&failed.error);
    let code = if failed.error.is_unsafe() { "unsafe_archive" } else { "file_unwritable" };
    let hint = failed.kept.as_ref().map_or_else(
        || "nothing was unpacked; --no-extract saves the archive itself".to_owned(),
        |kept| format!("nothing was unpacked; the archive is in {}; list it with tar -tvf", escape::for_shell(kept)),
    );
    Failure::new(Exit::LocalFile, code, message).hint(hint)
}

fn of_pack(error: &PackError) -> Failure {
    const EXCLUDE: &str = "nothing was uploaded; exclude it with --exclude";
    let message = with_root_cause(error);
    let failed = |code| Failure::new(Exit::LocalFile, code, message.clone());
    match error {
        PackError::Unreadable { .. } => failed("file_unreadable")
            .hint("nothing was uploaded; check the path and its permissions, or exclude it with --exclude"),
        PackError::Link(_) => failed("link_leads_out").hint(EXCLUDE),
        PackError::Name(_) => {
            failed("unfit_name").hint("nothing was uploaded; rename it, or exclude it with --exclude")
        }
        PackError::Special(_) => failed("special_file").hint("nothing was uploaded; omit the path"),
        PackError::TooMany => failed("too_many_files").hint("upload it in parts, or pack it first and upload one file"),
        PackError::Nothing => Failure::usage(message).hint("omit --exclude, or name other paths"),
    }
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
