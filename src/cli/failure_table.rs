//! The table of failures: every error there is, its exit status, its code and its hint.

use std::error::Error as StdError;
use std::io;

use super::escape;
use super::exit::Exit;
use super::failure::Failure;
use crate::client::download::DownloadError;
use crate::client::pack::PackError;
use crate::client::unseal::{NotUnpacked, OutputError, UnsealError};
use crate::client::upload::{LedgerError, Left, SourceError, UploadError};
use crate::client::{ApiError, ClientError, StoreError};
use crate::domain::envelope::EnvelopeError;
use crate::domain::error::ErrorCode;
use crate::domain::sealed::OpenError;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;

/// What `error` is to people and scripts. There is always something to do about it.
pub(super) fn of(error: &anyhow::Error) -> Failure {
    let mut failure = known(error);
    failure.hint.get_or_insert_with(|| hint_of(failure.exit).to_owned());
    failure
}

/// What to do about a failure of which nothing better is known.
const fn hint_of(exit: Exit) -> &'static str {
    match exit {
        Exit::Usage => "`sgsend help` and the name of a command shows how it is used",
        Exit::NotFound => "check what was named, and the server",
        Exit::Gone => "ask the sender to send it again",
        Exit::NotAuthorised => "ask whoever runs the server",
        Exit::WrongKey => "check the link; if it is complete, ask the sender to send it again",
        Exit::TooMuch => "send something smaller, or try again later",
        Exit::Network | Exit::Resumable => "try again later",
        Exit::LocalFile => "check the path and its permissions",
        Exit::Interrupted | Exit::Terminated => "run the command again",
        Exit::Done | Exit::Other => "run it again with --verbose to learn more",
    }
}

/// What to do about a file that cannot be had.
pub(super) fn hint_of_io(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room on the disk, or choose another one"
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

/// The error and the last of its causes, which says most.
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
            network("unreachable").hint("check the address, and whether the server is running").retryable()
        }
        ClientError::Certificate { .. } => {
            network("untrusted_certificate").hint("name the certificate of the server's authority with --ca-file")
        }
        ClientError::NotTls { .. } => {
            network("not_tls").hint("this port speaks plain http: give an http address, or the port that speaks https")
        }
        ClientError::Broken { .. } | ClientError::CutShort { .. } => {
            network("connection_lost").hint("try again").retryable()
        }
        ClientError::Timeout { .. } => {
            network("timeout").hint("try again, or allow for more time with --timeout").retryable()
        }
        ClientError::Redirected { to, .. } => {
            let to = to.as_ref().map_or_else(String::new, |to| format!("; it points to {to}"));
            network("redirected").hint(format!("give the address that it redirects to{to}"))
        }
        ClientError::Answer { .. } => network("unknown_answer")
            .hint("check that the address is that of an sgsend service, and that sgsend is up to date"),
        ClientError::Unsupported(_) => {
            Failure::new(Exit::Other, "unsupported", message).hint("use a newer version of sgsend")
        }
        ClientError::Store(error) => of_store(error),
        ClientError::Flow { .. } => Failure::new(Exit::Usage, "flow_unavailable", message)
            .hint("leave --flow out: the server's way is taken then"),
        ClientError::PlainHttp { .. } => Failure::new(Exit::Usage, "plain_http", message)
            .hint("use an https address, or --insecure-http if everybody on the way may read along"),
        ClientError::ForeignOrigin(_) => Failure::new(Exit::NotAuthorised, "foreign_origin", message)
            .hint("give the secret that belongs to this server"),
        ClientError::Unsendable(_) => Failure::new(Exit::Usage, "malformed_secret", message),
        ClientError::Roots(_) => {
            Failure::new(Exit::Usage, "ca_file", message).hint("--ca-file takes certificates in PEM")
        }
        ClientError::Setup(_) => Failure::new(Exit::Other, "setup", message),
    }
}

fn of_store(error: &StoreError) -> Failure {
    const ANOTHER_WAY: &str =
        "the server keeps payloads there; --flow bytes goes around it, where the server allows that";
    match error {
        StoreError::NotReached(inner) => {
            let failure = of_client(inner);
            if matches!(inner, ClientError::Certificate { .. }) { failure } else { failure.hint(ANOTHER_WAY) }
        }
        StoreError::Lost(inner) => of_client(inner),
        StoreError::OnThisMachine { .. } => {
            Failure::new(Exit::Network, "unreachable", error.to_string()).hint(ANOTHER_WAY)
        }
        StoreError::Refused { .. } => {
            let failure = Failure::new(Exit::Network, "store_refused", error.to_string());
            let failure = Failure { retryable: error.is_transient(), ..failure };
            let hint = if error.is_transient() {
                "try again later"
            } else {
                "tell whoever runs the server, or try --flow bytes"
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
        return failure.hint("check that the address is that of an sgsend service");
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
        failure.hint = Some(format!("try again in {} s", wait.as_secs()));
    }
    failure
}

/// The exit status of each code, and what to do about it.
const fn of_code(code: ErrorCode) -> (Exit, Option<&'static str>) {
    match code {
        ErrorCode::InvalidRequest | ErrorCode::InvalidId => (Exit::Usage, None),
        ErrorCode::TokenMissing => (
            Exit::NotAuthorised,
            Some("give a sender token with --token-file or SGSEND_TOKEN, or keep one with `sgsend login`"),
        ),
        ErrorCode::TokenInvalid | ErrorCode::TokenRevoked | ErrorCode::TokenExpired => {
            (Exit::NotAuthorised, Some("ask whoever runs the server for a new sender token"))
        }
        ErrorCode::NotYourTransfer => (Exit::NotAuthorised, Some("use the token that the transfer was created with")),
        ErrorCode::AdminKeyInvalid => {
            (Exit::NotAuthorised, Some("give the admin key with --admin-key-file or SGSEND_ADMIN_KEY_FILE"))
        }
        ErrorCode::GrantInvalid | ErrorCode::OriginNotAllowed => (Exit::NotAuthorised, None),
        ErrorCode::AccessRequired | ErrorCode::AccessInvalid => {
            (Exit::WrongKey, Some("check that the link is complete, and the passphrase if there is one"))
        }
        ErrorCode::TransferNotFound => (Exit::NotFound, Some("check the link and the server")),
        ErrorCode::TokenNotFound => (Exit::NotFound, Some("`sgsend token list` shows the tokens there are")),
        ErrorCode::RouteNotFound | ErrorCode::MethodNotAllowed => {
            (Exit::NotFound, Some("check the address: the public and the admin service are two"))
        }
        ErrorCode::TransferExpired | ErrorCode::TransferExhausted | ErrorCode::TransferDeleted => {
            (Exit::Gone, Some("ask the sender to send it again"))
        }
        ErrorCode::GrantExpired => (Exit::Gone, Some("run it again")),
        ErrorCode::NotCompleted => (Exit::Other, Some("try again when the sender has finished")),
        ErrorCode::TransferNotPending
        | ErrorCode::UploadIncomplete
        | ErrorCode::OffsetMismatch
        | ErrorCode::SizeMismatch
        | ErrorCode::IdempotencyMismatch
        | ErrorCode::WrongMode => (Exit::Other, None),
        ErrorCode::RangeNotSatisfiable => (Exit::WrongKey, None),
        ErrorCode::PayloadTooLarge => (Exit::TooMuch, Some("send something smaller")),
        ErrorCode::QuotaExceeded => (Exit::TooMuch, Some("ask whoever runs the server for another sender token")),
        ErrorCode::RateLimited | ErrorCode::EventLimitReached => (Exit::TooMuch, Some("try again later")),
        ErrorCode::UploadInProgress
        | ErrorCode::RequestTimeout
        | ErrorCode::InternalError
        | ErrorCode::StorageUnavailable => (Exit::Network, Some("try again later")),
        ErrorCode::StorageFull => (Exit::Network, Some("tell whoever runs the server")),
    }
}

fn of_upload(error: &UploadError) -> Failure {
    let message = with_root_cause(error);
    if error.is_changed() {
        return Failure::new(Exit::LocalFile, "file_changed", message)
            .hint("the transfer was ended; send the file when nothing writes to it any more");
    }
    match error {
        UploadError::Client(error) | UploadError::GivenUp(error) => of_client(error),
        UploadError::TooLarge { .. } => {
            Failure::new(Exit::TooMuch, "payload_too_large", message).hint("send something smaller")
        }
        UploadError::Lifetime { .. } => Failure::usage(message).hint("choose another --expires"),
        UploadError::Downloads => Failure::usage(message).hint("choose another --downloads, or leave it out"),
        UploadError::Unsealable(_) => {
            Failure::new(Exit::LocalFile, "unsealable", message).hint("choose a shorter --name")
        }
        UploadError::Source(
            SourceError::Changed | SourceError::ChangedIn { .. } | SourceError::Read(_) | SourceError::ReadIn { .. },
        ) => Failure::new(Exit::LocalFile, "file_unreadable", message),
        UploadError::Ledger(LedgerError::Changed | LedgerError::Write(_)) => {
            Failure::new(Exit::LocalFile, "state_unwritable", message)
                .hint("check the disk and the permissions of the state directory")
        }
        UploadError::TooManyBytes { .. } => Failure::new(Exit::Network, "unknown_answer", message)
            .hint("the server does not tell the truth: report it to whoever runs it"),
        UploadError::NoStateDirectory => Failure::new(Exit::LocalFile, "no_home", message)
            .hint("set HOME or XDG_STATE_HOME, or do without with --no-resume-state"),
        UploadError::PassphraseNeeded => {
            Failure::new(Exit::Gone, "unfinished_gone", message).hint("run it again, to begin anew with the passphrase")
        }
        UploadError::OtherPassphrase => {
            Failure::usage(message).hint("give that passphrase, or leave --resume out to send it anew with this one")
        }
        UploadError::Unfinished { error, id } => resumable(of_client(error))
            .hint(format!("go on with the same command and --resume, or give up with: sgsend delete {id}")),
        UploadError::Interrupted { signal, left } => {
            let failure = Failure::interrupted(*signal);
            match left {
                Left::Resumable(id) => Failure { resumable: Some(true), ..failure }
                    .hint(format!("go on with the same command and --resume, or give up with: sgsend delete {id}")),
                Left::Nothing => failure.hint("the unfinished transfer was deleted; nothing is left of it"),
                Left::Perhaps => failure
                    .hint("an unfinished transfer may be left on the server, where it goes by itself within a day"),
            }
        }
    }
}

/// A network or server fault that left something to go on with.
fn resumable(failure: Failure) -> Failure {
    Failure { exit: Exit::Resumable, retryable: true, resumable: Some(true), ..failure }
}

/// What to do about an unfinished download.
const GO_ON: &str = "go on with the same command and --resume; that is not another download";

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
            let failure = Failure::new(Exit::Gone, code, message).hint("ask the sender to send it again");
            Failure { reason: Some(reason), ..failure }
        }
        DownloadError::NotComplete => Failure::new(Exit::Other, "not_completed", message)
            .hint("try again when the sender has finished")
            .retryable(),
        DownloadError::WrongKey => wrong_key(message),
        DownloadError::Size(_) => Failure::new(Exit::WrongKey, "damaged_payload", message),
        DownloadError::OtherRange => {
            Failure::new(Exit::Network, "unknown_answer", message).hint("try again").retryable()
        }
        DownloadError::Unseal(error) => of_unseal(error),
        DownloadError::NotPlaced { error, again_until } => of_counted(error, *again_until),
        DownloadError::Unfinished(error) => resumable(of_client(error)).hint(GO_ON),
        DownloadError::Interrupted { signal, resumable } => {
            let failure = Failure { resumable: Some(*resumable), ..Failure::interrupted(*signal) };
            failure.hint(if *resumable { GO_ON } else { "nothing was kept; run it again" })
        }
    }
}

/// What could not be put where it should go, after its download was counted.
fn of_counted(error: &OutputError, again_until: Option<Timestamp>) -> Failure {
    let failure = of_output(error);
    if matches!(error, OutputError::Unpack(_)) || failure.exit == Exit::Done {
        return failure;
    }
    let what_helps = match error {
        OutputError::Exists(_) => "the same command with --rename or --overwrite takes it",
        OutputError::NotNew(_) => "the same command with --rename, or with --no-extract, takes it",
        OutputError::Refused(_) => "the same command with another -o takes it",
        _ => "the same command takes it when that is mended, or with another -o",
    };
    let hint = again_until.map_or_else(
        || format!("the download was counted: {what_helps}, as another one, since nothing could be kept of this one"),
        |until| format!("the download was counted: {what_helps} without another one, until {}", until.for_people()),
    );
    failure.hint(hint)
}

fn wrong_key(message: String) -> Failure {
    Failure::new(Exit::WrongKey, "wrong_key", message)
        .hint("check that the link is complete, and the passphrase if there is one")
}

fn of_unseal(error: &UnsealError) -> Failure {
    let message = with_root_cause(error);
    let damaged = |message| Failure::new(Exit::WrongKey, "damaged_payload", message);
    match error {
        UnsealError::Open(OpenError::Unauthentic { index: 0 }) => wrong_key(message),
        UnsealError::Open(OpenError::Header(_)) => damaged(message)
            .hint("check that this is a payload as it was fetched from a service, and not what was in it"),
        UnsealError::Open(OpenError::Unauthentic { .. } | OpenError::Truncated | OpenError::Extended) => {
            damaged(message).hint("what came before is authentic, and the rest is missing; fetch it again")
        }
        UnsealError::Envelope(EnvelopeError::NotAnEnvelope) => {
            damaged(message).hint("`sgsend open --raw` writes a payload without an envelope as it is")
        }
        UnsealError::Envelope(_) => damaged(message).hint("ask the sender to send it again"),
        UnsealError::Output(error) => of_output(error),
    }
}

fn of_output(error: &OutputError) -> Failure {
    let message = with_root_cause(error);
    match error {
        OutputError::Exists(_) => Failure::new(Exit::LocalFile, "file_exists", message)
            .hint("take another name with --rename or -o, or replace it with --overwrite"),
        OutputError::NotNew(_) => Failure::new(Exit::LocalFile, "file_exists", message)
            .hint("take another name with --rename or -o, or keep the archive as it is with --no-extract"),
        OutputError::Unpack(failed) => of_unpack(failed),
        OutputError::Busy(_) => Failure::new(Exit::LocalFile, "file_busy", message)
            .hint("wait for the other process, or choose another directory with -o"),
        OutputError::Write(cause) if cause.kind() == io::ErrorKind::BrokenPipe => of_io(cause),
        OutputError::Create { .. } | OutputError::Write(_) => Failure::new(Exit::LocalFile, "file_unwritable", message)
            .hint("check the disk, the permissions and the directory, or choose another with -o"),
        OutputError::Refused(_) => Failure::new(Exit::LocalFile, "file_refused", message)
            .hint("name a file with -o, or say -o - to have it on the terminal"),
    }
}

fn of_unpack(failed: &NotUnpacked) -> Failure {
    let message = with_root_cause(&failed.error);
    let code = if failed.error.is_unsafe() { "unsafe_archive" } else { "file_unwritable" };
    let hint = failed.kept.as_ref().map_or_else(
        || "nothing was unpacked; --no-extract keeps the archive as it is".to_owned(),
        |kept| {
            format!("nothing was unpacked; the archive is in {}, for tar -tvf to look into", escape::for_shell(kept))
        },
    );
    Failure::new(Exit::LocalFile, code, message).hint(hint)
}

fn of_pack(error: &PackError) -> Failure {
    const EXCLUDE: &str = "nothing was sent; leave it out with --exclude";
    let message = with_root_cause(error);
    let failed = |code| Failure::new(Exit::LocalFile, code, message.clone());
    match error {
        PackError::Unreadable { .. } => failed("file_unreadable")
            .hint("nothing was sent; check the path and its permissions, or leave it out with --exclude"),
        PackError::Link(_) => failed("link_leads_out").hint(EXCLUDE),
        PackError::Name(_) => failed("unfit_name").hint("nothing was sent; rename it, or leave it out with --exclude"),
        PackError::Special(_) => failed("special_file").hint("nothing was sent; leave it out"),
        PackError::TooMany => failed("too_many_files").hint("send it in parts, or pack it first and send one file"),
        PackError::Nothing => Failure::usage(message).hint("leave --exclude out, or name something else"),
    }
}

fn of_io(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        // Whoever read our output has had enough, which is no error.
        return Failure::new(Exit::Done, "broken_pipe", "nobody reads the output");
    }
    Failure::new(Exit::LocalFile, "local_io", error.to_string()).hint(hint_of_io(error))
}

#[cfg(test)]
mod tests;
