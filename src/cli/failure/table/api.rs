//! Failures of requests: connection errors, error responses of the API, and errors of payload stores.

use super::{network, with_root_cause};
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::client::{BucketError, ClientError, InvalidProxy, ResponseError};
use crate::domain::error::ErrorCode;

pub(super) fn of_client(error: &ClientError) -> Failure {
    let message = with_root_cause(error);
    let network = |code| Failure::new(Exit::Network, code, message.clone());
    match error {
        ClientError::Api(error) => of_api_error(error),
        ClientError::Unreachable { destination, fault, .. } => {
            network("unreachable").hint(network::of_connect(*fault, destination)).retryable()
        }
        ClientError::Proxy { origin, proxy, fault } => {
            let failure = network("proxy").hint(network::of_proxy(fault, proxy, origin));
            Failure { retryable: error.is_transient(), ..failure }
        }
        ClientError::InvalidProxy(InvalidProxy { variable }) => {
            Failure::new(Exit::Usage, "proxy", message).hint(network::proxy_format(variable))
        }
        ClientError::Certificate { destination, fault } => {
            let failure = network("untrusted_certificate").hint(network::of_certificate(fault, destination));
            Failure { reason: Some(fault.reason()), ..failure }
        }
        ClientError::Handshake { .. } => network("handshake_failed")
            .hint("check the address and the port, and that the server supports TLS 1.2 or 1.3 for this host name"),
        ClientError::NotTls { destination } => network("not_tls")
            .hint(format!("if this port serves plain http, use {}", network::other_scheme(destination))),
        ClientError::NotHttp { destination } => {
            network("not_http").hint(format!("if this port serves https, use {}", network::other_scheme(destination)))
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
            .hint("omit --flow to use the data path that the server chooses"),
        ClientError::PlainHttp { .. } => Failure::new(Exit::Usage, "plain_http", message)
            .hint("use an https address, or --insecure-http if anyone on the network path may read the requests"),
        ClientError::KeyNotProven { .. } => Failure::new(Exit::NotAuthorised, "admin_key_unproven", message).hint(
            "another program may listen there; if the service has a key of its own, pass it with --admin-key-file or \
             SGSEND_ADMIN_KEY_FILE",
        ),
        ClientError::ForeignOrigin(_) => Failure::new(Exit::NotAuthorised, "foreign_origin", message)
            .hint("use the secret that belongs to this server"),
        ClientError::MalformedSecret(_) => Failure::new(Exit::Usage, "malformed_secret", message),
        ClientError::CaCertificates(_) => {
            Failure::new(Exit::Usage, "ca_file", message).hint("--ca-file takes PEM certificates")
        }
        ClientError::Setup(_) => Failure::new(Exit::Other, "setup", message),
    }
}

fn of_store(error: &BucketError) -> Failure {
    const USE_SERVER: &str =
        "payloads go directly to this store; --flow bytes sends them through the server, if the server permits it";
    match error {
        BucketError::Unreachable(inner) => {
            let failure = of_client(inner);
            let has_own_hint = matches!(inner, ClientError::Certificate { .. } | ClientError::Proxy { .. });
            if has_own_hint { failure } else { failure.hint(USE_SERVER) }
        }
        BucketError::Lost(inner) => of_client(inner),
        BucketError::ForbiddenAddress { .. } | BucketError::Unencrypted { .. } => {
            Failure::new(Exit::Network, "unsafe_store", error.to_string()).hint(USE_SERVER)
        }
        BucketError::ErrorResponse { .. } => {
            let failure = Failure::new(Exit::Network, "store_refused", error.to_string());
            let failure = Failure { retryable: error.is_transient(), ..failure };
            let hint = if error.is_transient() {
                "retry later"
            } else {
                "report the error to the operator of the server, or use --flow bytes"
            };
            failure.hint(hint)
        }
    }
}

fn of_api_error(error: &ResponseError) -> Failure {
    let message = error.detail.clone();
    let code_text = error.code_text.clone();
    let Some(code) = error.code else {
        let exit = match error.status {
            401 | 403 => Exit::NotAuthorised,
            404 => Exit::NotFound,
            410 => Exit::Gone,
            413 | 429 => Exit::LimitExceeded,
            500.. => Exit::Network,
            _ => Exit::Other,
        };
        let failure =
            Failure { code: code_text.into(), retryable: error.is_transient(), ..Failure::new(exit, "", message) };
        if error.status == 400 {
            // The response of nginx and other TLS servers to plain http.
            return failure
                .hint("check that the address belongs to an sgsend service, and use https if the port serves it");
        }
        return failure.hint("check that the address belongs to an sgsend service");
    };
    let (exit, hint) = of_code(code);
    let reason = match code {
        ErrorCode::TransferExpired => Some("expired"),
        ErrorCode::TransferExhausted => Some("exhausted"),
        ErrorCode::TransferDeleted => Some("deleted"),
        ErrorCode::LinkClosed => Some("closed"),
        _ => None,
    };
    let retryable = error.is_transient() || matches!(code, ErrorCode::NotCompleted | ErrorCode::UploadInProgress);
    let mut failure = Failure { reason, code: code_text.into(), retryable, ..Failure::new(exit, "", message) };
    failure.hint = hint.map(str::to_owned);
    if let Some(wait) = error.retry_after {
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
            Some("pass a sender token with --token-file or SGSEND_TOKEN, or save a token with `sgsend login`"),
        ),
        ErrorCode::TokenInvalid | ErrorCode::TokenRevoked | ErrorCode::TokenExpired => {
            (Exit::NotAuthorised, Some("ask the operator of the server for a new sender token"))
        }
        ErrorCode::NotYourTransfer => (Exit::NotAuthorised, Some("use the token that created the transfer")),
        ErrorCode::NotForRequests => (Exit::NotAuthorised, Some("use a sender token instead of a request link")),
        ErrorCode::GuestProofInvalid => {
            (Exit::NotAuthorised, Some("only the guest who began this upload can change it"))
        }
        ErrorCode::AdminKeyInvalid | ErrorCode::ProofUnavailable => {
            (Exit::NotAuthorised, Some("pass the admin key with --admin-key-file or SGSEND_ADMIN_KEY_FILE"))
        }
        ErrorCode::GrantInvalid | ErrorCode::OriginNotAllowed | ErrorCode::MetricsKeyInvalid => {
            (Exit::NotAuthorised, None)
        }
        ErrorCode::AccessRequired | ErrorCode::AccessInvalid => {
            (Exit::WrongKey, Some("check that the link is complete and that any passphrase is correct"))
        }
        ErrorCode::TransferNotFound => (Exit::NotFound, Some("check the link and the server")),
        ErrorCode::LinkNotFound => (Exit::NotFound, Some("`sgsend link list` shows the links of a transfer")),
        ErrorCode::RequestNotFound => (Exit::NotFound, Some("`sgsend request list` shows the requests of this token")),
        ErrorCode::NoKeys => (Exit::NotFound, Some("check the link: this transfer is not for recipients with keys")),
        ErrorCode::TokenNotFound => (Exit::NotFound, Some("`sgsend token list` shows all tokens")),
        ErrorCode::RouteNotFound | ErrorCode::MethodNotAllowed => {
            (Exit::NotFound, Some("check the address: the public and the admin service have different addresses"))
        }
        ErrorCode::TransferExpired | ErrorCode::TransferExhausted | ErrorCode::TransferDeleted => {
            (Exit::Gone, Some("ask the sender to upload the files again"))
        }
        ErrorCode::LinkClosed => (Exit::Gone, Some("ask the sender for another link")),
        ErrorCode::GrantExpired => (Exit::Gone, Some("run the command again")),
        ErrorCode::NotificationsUnavailable => (Exit::Other, Some("start both services with that option")),
        ErrorCode::NotCompleted => (Exit::Other, Some("retry after the upload has finished")),
        ErrorCode::TransferNotPending
        | ErrorCode::UploadIncomplete
        | ErrorCode::OffsetMismatch
        | ErrorCode::SizeMismatch
        | ErrorCode::IdempotencyMismatch
        | ErrorCode::InfoMismatch
        | ErrorCode::WrongMode => (Exit::Other, None),
        ErrorCode::NoLink => (Exit::Gone, Some("upload the files again")),
        ErrorCode::IsALink => (Exit::Other, Some("pass the id of the transfer, which `sgsend link list` shows")),
        ErrorCode::LinkMismatch => (Exit::Other, Some("run the command again")),
        ErrorCode::TooManyLinks => (Exit::LimitExceeded, Some("upload the files again for the other recipients")),
        ErrorCode::TooManyRequests => {
            (Exit::LimitExceeded, Some("revoke a request that is no longer needed with `sgsend request revoke`"))
        }
        ErrorCode::AlreadyDownloaded => (Exit::Other, Some("ask the recipient to delete it")),
        ErrorCode::RangeNotSatisfiable => (Exit::WrongKey, None),
        ErrorCode::PayloadTooLarge => (Exit::LimitExceeded, Some("upload fewer or smaller files")),
        ErrorCode::QuotaExceeded => {
            (Exit::LimitExceeded, Some("ask the operator of the server for another sender token"))
        }
        ErrorCode::RateLimited | ErrorCode::EventLimitReached => (Exit::LimitExceeded, Some("retry later")),
        ErrorCode::UploadInProgress
        | ErrorCode::RequestTimeout
        | ErrorCode::Internal
        | ErrorCode::StorageUnavailable
        | ErrorCode::ServerBusy => (Exit::Network, Some("retry later")),
        ErrorCode::StorageFull
        | ErrorCode::StorageUpgraded
        | ErrorCode::RecordsNotReadable
        | ErrorCode::RecordsNotWritable
        | ErrorCode::PayloadsNotReadable
        | ErrorCode::PayloadsNotWritable => (Exit::Network, Some("report the error to the operator of the server")),
    }
}
