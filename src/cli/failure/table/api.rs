//! Failures of requests: connection errors, error responses of the API, and errors of payload stores.

use super::with_root_cause;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::client::{ApiError, ClientError, StoreError};
use crate::domain::error::ErrorCode;

pub(super) fn of_client(error: &ClientError) -> Failure {
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
        ClientError::ConnectionLost { .. } | ClientError::Incomplete { .. } => {
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
        ClientError::MalformedSecret(_) => Failure::new(Exit::Usage, "malformed_secret", message),
        ClientError::CaCertificates(_) => {
            Failure::new(Exit::Usage, "ca_file", message).hint("--ca-file takes PEM certificates")
        }
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
        | ErrorCode::Internal
        | ErrorCode::StorageUnavailable => (Exit::Network, Some("retry later")),
        ErrorCode::StorageFull => (Exit::Network, Some("report it to the operator of the server")),
    }
}
