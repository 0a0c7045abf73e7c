//! Request errors, and their stable codes in API responses and audit records.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::id::TransferId;
use super::limits::LimitName;
use super::store::StoreError;

/// Delay before a client should repeat a request for which the store had no connection.
const STORE_BUSY: Duration = Duration::from_secs(1);

/// Defines [`Error`] and [`ErrorCode`] from one list of variants with their data, code and text.
macro_rules! errors {
    ($(
        $(#[$doc:meta])+
        $variant:ident $(($($unnamed:tt)+))? $({ $($named:tt)+ })? = $code:literal, $text:literal;
    )+) => {
        /// Reason for rejecting or failing a request, with the data of the error response.
        #[derive(Debug, thiserror::Error)]
        pub enum Error {
            $(
                $(#[$doc])+
                #[error($text)]
                $variant $(($($unnamed)+))? $({ $($named)+ })?,
            )+
        }

        impl Error {
            /// Returns the stable code of this error.
            #[must_use]
            pub const fn code(&self) -> ErrorCode {
                match self {
                    $(Self::$variant { .. } => ErrorCode::$variant,)+
                }
            }
        }

        /// The stable `code` of an error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $(
                #[doc = concat!("`", $code, "`")]
                #[serde(rename = $code)]
                $variant,
            )+
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the code as used in responses and records.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// Parses a code; returns `None` for a code unknown to this version.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

errors! {
    /// A member of the request is missing, unknown or out of range.
    InvalidRequest(String) = "invalid_request", "{0}";
    /// An id in the path is malformed.
    InvalidId(String) = "invalid_id", "{0}";
    /// The request has no sender token.
    TokenMissing = "token_missing", "a sender token is required";
    /// The token is malformed or unknown, or its secret is wrong. The response does not distinguish these causes.
    TokenInvalid = "token_invalid", "the sender token is invalid";
    /// The transfer requires an access proof.
    AccessRequired = "access_required", "this transfer requires an access proof";
    /// The admin key or session is missing or wrong.
    AdminKeyInvalid = "admin_key_invalid", "the admin key is missing or wrong";
    /// The metrics key is missing or wrong.
    MetricsKeyInvalid = "metrics_key_invalid", "the metrics key is missing or wrong";
    /// The service did not generate its admin key, so it proves nothing to clients.
    ProofUnavailable = "proof_unavailable", "this service has a configured admin key, and proves only a generated one";
    /// The token was revoked.
    TokenRevoked = "token_revoked", "the sender token was revoked";
    /// The token has expired.
    TokenExpired = "token_expired", "the sender token has expired";
    /// The token belongs to a request, which can only upload.
    NotForRequests = "not_for_requests", "the token of a request can only upload";
    /// The guest proof of an upload for a request is missing or wrong.
    GuestProofInvalid = "guest_proof_invalid", "the guest proof of this upload is missing or wrong";
    /// The transfer was created with another token.
    NotYourTransfer = "not_your_transfer", "this transfer was created with another sender token";
    /// The access proof is wrong.
    AccessInvalid = "access_invalid", "the access proof is wrong";
    /// The grant was not issued for this transfer.
    GrantInvalid = "grant_invalid", "this grant was not issued for this transfer";
    /// A state-changing request authenticated by cookie has a foreign origin.
    OriginNotAllowed(String) = "origin_not_allowed", "origin not allowed: {0}";
    /// The transfer does not exist.
    TransferNotFound = "transfer_not_found", "no such transfer";
    /// The transfer has no link with this id.
    LinkNotFound = "link_not_found", "no such link of this transfer";
    /// The request does not exist, or belongs to another token.
    RequestNotFound = "request_not_found", "no such request of this sender token";
    /// The token does not exist.
    TokenNotFound = "token_not_found", "no such token";
    /// The route does not exist.
    RouteNotFound = "route_not_found", "no such route";
    /// The route exists, but does not allow the method.
    MethodNotAllowed = "method_not_allowed", "this route does not allow this method";
    /// The upload is already finished.
    TransferNotPending = "transfer_not_pending", "the upload of this transfer is already finished";
    /// The stored payload is incomplete.
    UploadIncomplete {
        /// Number of bytes stored so far.
        received_bytes: u64,
        /// Declared encrypted size in bytes.
        size_bytes: u64,
    } = "upload_incomplete", "the upload is incomplete: received {received_bytes} of {size_bytes} bytes";
    /// The offset differs from the number of stored bytes.
    OffsetMismatch {
        /// Number of bytes stored so far.
        received_bytes: u64,
    } = "offset_mismatch", "the upload must continue at offset {received_bytes}";
    /// Another request is writing this payload.
    UploadInProgress = "upload_in_progress", "another request is uploading this payload";
    /// The stored object's size differs from the declared size; the transfer was deleted.
    SizeMismatch = "size_mismatch", "the size of the stored payload differs from the declared size, so the transfer was deleted";
    /// The idempotency key was already used for a different request body.
    IdempotencyMismatch = "idempotency_mismatch", "this idempotency key was already used with a different request body";
    /// The transfer is complete with another info block, signature or keys.
    InfoMismatch = "info_mismatch", "this transfer is already complete with another info block, signature or keys";
    /// The transfer has no keys for recipients.
    NoKeys = "no_keys", "this transfer has no keys for recipients";
    /// The upload cannot be completed, since the transfer has no link that recipients could use.
    NoLink = "no_link", "this transfer has no link that recipients could use";
    /// The id in the path is that of a further link; the route takes the id of the transfer.
    IsALink {
        /// Id of the transfer, for its sender.
        transfer_id: TransferId,
    } = "is_a_link", "this id belongs to a further link; the route takes the id of its transfer";
    /// The id of a new link is already in use by a link with other members.
    LinkMismatch = "link_mismatch", "this link id is already in use by another link";
    /// The transfer has as many links as it can.
    TooManyLinks = "too_many_links", "this transfer has as many links as it can have";
    /// The token has as many active requests as it can.
    TooManyRequests = "too_many_requests", "this sender token has as many active requests as it can have";
    /// The owner of the request has downloaded the transfer, so its guest can no longer delete it.
    AlreadyDownloaded = "already_downloaded", "this transfer was downloaded, so its sender can no longer delete it";
    /// The upload is not finished yet.
    NotCompleted = "not_completed", "the upload of this transfer is not finished";
    /// The transfer's mode (presigned URLs or bytes through the service) does not use this route.
    WrongMode = "wrong_mode", "this route does not match the mode of this transfer";
    /// The server has no setting for this kind of notifications.
    NotificationsUnavailable {
        /// Name of the missing setting.
        setting: &'static str,
    } = "notifications_unavailable", "this server cannot send such notifications: its admin service has no {setting}";
    /// The transfer has expired.
    TransferExpired = "transfer_expired", "this transfer has expired";
    /// The download limit is reached.
    TransferExhausted = "transfer_exhausted", "the download limit of this transfer is reached";
    /// The transfer was deleted.
    TransferDeleted = "transfer_deleted", "this transfer was deleted";
    /// The sender closed the link.
    LinkClosed = "link_closed", "this link was closed by its sender";
    /// The grant has expired.
    GrantExpired = "grant_expired", "this grant has expired";
    /// The request body arrived too slowly, or stopped.
    RequestTimeout = "request_timeout", "the request timed out: its body arrived too slowly";
    /// The body or the declared payload is over the size limit.
    PayloadTooLarge {
        /// The limit, in bytes.
        limit_bytes: u64,
    } = "payload_too_large", "the size is over the limit of {limit_bytes} bytes";
    /// The range lies outside the payload.
    RangeNotSatisfiable {
        /// Encrypted size of the payload in bytes.
        size_bytes: u64,
    } = "range_not_satisfiable", "the range is outside the payload of {size_bytes} bytes";
    /// The client exceeds a rate limit.
    RateLimited {
        /// The exceeded limit.
        limit: LimitName,
        /// Delay before the client should retry.
        retry_after: Duration,
    } = "rate_limited", "too many requests";
    /// All payload streams of this server, or all its connections to the store, are in use.
    ServerBusy {
        /// The exceeded limit.
        limit: LimitName,
        /// Delay before the client should retry.
        retry_after: Duration,
    } = "server_busy", "this server has as many requests in progress as it can";
    /// The token's quota is exceeded.
    QuotaExceeded {
        /// Name of the limit in a `tokens/create` request.
        member: &'static str,
    } = "quota_exceeded", "the quota of this sender token is exceeded: {member}";
    /// The transfer's limit of client events is reached.
    EventLimitReached = "event_limit_reached", "the event limit of this transfer is reached";
    /// An unexpected error of this server.
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>) = "internal_error", "internal server error";
    /// A storage operation failed.
    StorageUnavailable(#[source] StoreError) = "storage_unavailable", "the storage is unavailable";
    /// The store has no free space.
    StorageFull = "storage_full", "the storage is full";
    /// A newer version of this program has upgraded the store; this server only reads.
    StorageUpgraded = "storage_upgraded", "the storage was upgraded by a newer version of sgsend than this server's";
    /// A readiness check could not read records.
    RecordsNotReadable = "records_not_readable", "records cannot be read from the storage";
    /// A readiness check could not write records.
    RecordsNotWritable = "records_not_writable", "records cannot be written to the storage";
    /// A readiness check could not read back a payload.
    PayloadsNotReadable = "payloads_not_readable", "payloads cannot be read from the storage";
    /// A readiness check could not write a payload.
    PayloadsNotWritable = "payloads_not_writable", "payloads cannot be written to the storage";
}

impl Error {
    /// Returns the limit that rejected the request, if a limit did.
    #[must_use]
    pub const fn limit(&self) -> Option<LimitName> {
        match self {
            Self::RateLimited { limit, .. } | Self::ServerBusy { limit, .. } => Some(*limit),
            Self::QuotaExceeded { .. } => Some(LimitName::Quota),
            Self::EventLimitReached => Some(LimitName::Events),
            _ => None,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::StorageFull,
            StoreError::NewerLayout { .. } => Self::StorageUpgraded,
            StoreError::Busy => Self::ServerBusy { limit: LimitName::StoreConnections, retry_after: STORE_BUSY },
            StoreError::WriterBusy => Self::UploadInProgress,
            StoreError::OffsetMismatch { received_bytes } => Self::OffsetMismatch { received_bytes },
            StoreError::Corrupt { .. } | StoreError::Unusable(_) | StoreError::IncompleteCopy { .. } => {
                Self::Internal(Box::new(error))
            }
            StoreError::Conflict | StoreError::NoPayload | StoreError::Unavailable(_) => {
                Self::StorageUnavailable(error)
            }
        }
    }
}

/// Formats an error and its causes as one line, for logs and users.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    // Some error texts already include the text of their cause.
    let append = |text: String, cause: String| if text.contains(&cause) { text } else { format!("{text}: {cause}") };
    causes.fold(error.to_string(), append)
}

/// Written by hand, since the derive would list the variants' names. The derive ignores the renames inside the macro.
impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("The stable `code` of an error."))
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .build()
            .into()
    }
}

impl ToSchema for ErrorCode {}
