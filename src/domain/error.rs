//! Request errors, and their stable codes in API responses and audit records.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::store::StoreError;

/// Reason for rejecting or failing a request, with the data of the error response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A member of the request is missing, unknown or out of range.
    #[error("{0}")]
    InvalidRequest(String),
    /// An id in the path is malformed.
    #[error("{0}")]
    InvalidId(String),
    /// The request has no sender token.
    #[error("a sender token is required")]
    TokenMissing,
    /// The token is malformed or unknown, or its secret is wrong; the response does not distinguish these causes.
    #[error("the sender token is invalid")]
    TokenInvalid,
    /// The transfer requires an access proof.
    #[error("this transfer requires an access proof")]
    AccessRequired,
    /// The admin key or session is missing or wrong.
    #[error("the admin key is missing or wrong")]
    AdminKeyInvalid,
    /// The token was revoked.
    #[error("the sender token was revoked")]
    TokenRevoked,
    /// The token has expired.
    #[error("the sender token has expired")]
    TokenExpired,
    /// The transfer was created with another token.
    #[error("this transfer was created with another sender token")]
    NotYourTransfer,
    /// The access proof is wrong.
    #[error("the access proof is wrong")]
    AccessInvalid,
    /// The grant was not issued for this transfer.
    #[error("this grant was not issued for this transfer")]
    GrantInvalid,
    /// A state-changing request authenticated by cookie has a foreign origin.
    #[error("origin not allowed: the request must come from a page of this service")]
    OriginNotAllowed,
    /// The transfer does not exist.
    #[error("no such transfer")]
    TransferNotFound,
    /// The token does not exist.
    #[error("no such token")]
    TokenNotFound,
    /// The route does not exist.
    #[error("no such route")]
    RouteNotFound,
    /// The route exists, but does not allow the method.
    #[error("this route does not allow this method")]
    MethodNotAllowed,
    /// The upload is already finished.
    #[error("the upload of this transfer is already finished")]
    TransferNotPending,
    /// The stored payload is incomplete.
    #[error("the upload is incomplete: received {received_bytes} of {size_bytes} bytes")]
    UploadIncomplete {
        /// Number of bytes stored so far.
        received_bytes: u64,
        /// Declared encrypted size in bytes.
        size_bytes: u64,
    },
    /// The offset differs from the number of stored bytes.
    #[error("the upload must continue at offset {received_bytes}")]
    OffsetMismatch {
        /// Number of bytes stored so far.
        received_bytes: u64,
    },
    /// Another request is writing this payload.
    #[error("another request is uploading this payload")]
    UploadInProgress,
    /// The stored object's size differs from the declared size; the transfer was deleted.
    #[error("the size of the stored payload differs from the declared size, so the transfer was deleted")]
    SizeMismatch,
    /// The idempotency key was already used for a different request body.
    #[error("this idempotency key was already used with a different request body")]
    IdempotencyMismatch,
    /// The upload is not finished yet.
    #[error("the upload of this transfer is not finished")]
    NotCompleted,
    /// The transfer's mode (presigned URLs or bytes through the service) does not use this route.
    #[error("this route does not match the mode of this transfer")]
    WrongMode,
    /// The transfer has expired.
    #[error("this transfer has expired")]
    TransferExpired,
    /// The download limit is reached.
    #[error("the download limit of this transfer is reached")]
    TransferExhausted,
    /// The transfer was deleted.
    #[error("this transfer was deleted")]
    TransferDeleted,
    /// The grant has expired.
    #[error("this grant has expired")]
    GrantExpired,
    /// The request body arrived too slowly, or stopped.
    #[error("the request timed out: its body arrived too slowly")]
    RequestTimeout,
    /// The body or the declared payload is over the size limit.
    #[error("the size is over the limit of {limit_bytes} bytes")]
    PayloadTooLarge {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// The range lies outside the payload.
    #[error("the range is outside the payload of {size_bytes} bytes")]
    RangeNotSatisfiable {
        /// Encrypted size of the payload in bytes.
        size_bytes: u64,
    },
    /// The client exceeds a rate limit.
    #[error("too many requests")]
    RateLimited {
        /// Delay before the client should retry.
        retry_after: Duration,
    },
    /// The token's quota is exceeded.
    #[error("the quota of this sender token is exceeded: {member}")]
    QuotaExceeded {
        /// Name of the limit in a `tokens/create` request.
        member: &'static str,
    },
    /// The transfer's limit of client events is reached.
    #[error("the event limit of this transfer is reached")]
    EventLimitReached,
    /// An unexpected error of this server.
    #[error("internal server error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A storage operation failed.
    #[error("the storage is unavailable")]
    StorageUnavailable(#[source] StoreError),
    /// The store has no free space.
    #[error("the storage is full")]
    StorageFull,
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::StorageFull,
            StoreError::WriterBusy => Self::UploadInProgress,
            StoreError::OffsetMismatch { received_bytes } => Self::OffsetMismatch { received_bytes },
            StoreError::Corrupt { .. } | StoreError::Unfit(_) | StoreError::IncompleteCopy { .. } => {
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

/// Written by hand, since the derive would list the variants' names: it ignores the renames inside the macro.
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

/// Defines [`ErrorCode`] and its conversions from one list.
macro_rules! error_codes {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// The stable `code` of an error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $(
                #[doc = concat!("`", $text, "`")]
                #[serde(rename = $text)]
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
                    $(Self::$variant => $text,)+
                }
            }

            /// Parses a code; returns `None` for a code unknown to this version.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    InvalidRequest = "invalid_request",
    InvalidId = "invalid_id",
    TokenMissing = "token_missing",
    TokenInvalid = "token_invalid",
    AccessRequired = "access_required",
    AdminKeyInvalid = "admin_key_invalid",
    TokenRevoked = "token_revoked",
    TokenExpired = "token_expired",
    NotYourTransfer = "not_your_transfer",
    AccessInvalid = "access_invalid",
    GrantInvalid = "grant_invalid",
    OriginNotAllowed = "origin_not_allowed",
    TransferNotFound = "transfer_not_found",
    TokenNotFound = "token_not_found",
    RouteNotFound = "route_not_found",
    MethodNotAllowed = "method_not_allowed",
    TransferNotPending = "transfer_not_pending",
    UploadIncomplete = "upload_incomplete",
    OffsetMismatch = "offset_mismatch",
    UploadInProgress = "upload_in_progress",
    SizeMismatch = "size_mismatch",
    IdempotencyMismatch = "idempotency_mismatch",
    NotCompleted = "not_completed",
    WrongMode = "wrong_mode",
    TransferExpired = "transfer_expired",
    TransferExhausted = "transfer_exhausted",
    TransferDeleted = "transfer_deleted",
    GrantExpired = "grant_expired",
    RequestTimeout = "request_timeout",
    PayloadTooLarge = "payload_too_large",
    RangeNotSatisfiable = "range_not_satisfiable",
    RateLimited = "rate_limited",
    QuotaExceeded = "quota_exceeded",
    EventLimitReached = "event_limit_reached",
    InternalError = "internal_error",
    StorageUnavailable = "storage_unavailable",
    StorageFull = "storage_full",
}

impl Error {
    /// Returns the stable code of this error.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidRequest(_) => ErrorCode::InvalidRequest,
            Self::InvalidId(_) => ErrorCode::InvalidId,
            Self::TokenMissing => ErrorCode::TokenMissing,
            Self::TokenInvalid => ErrorCode::TokenInvalid,
            Self::AccessRequired => ErrorCode::AccessRequired,
            Self::AdminKeyInvalid => ErrorCode::AdminKeyInvalid,
            Self::TokenRevoked => ErrorCode::TokenRevoked,
            Self::TokenExpired => ErrorCode::TokenExpired,
            Self::NotYourTransfer => ErrorCode::NotYourTransfer,
            Self::AccessInvalid => ErrorCode::AccessInvalid,
            Self::GrantInvalid => ErrorCode::GrantInvalid,
            Self::OriginNotAllowed => ErrorCode::OriginNotAllowed,
            Self::TransferNotFound => ErrorCode::TransferNotFound,
            Self::TokenNotFound => ErrorCode::TokenNotFound,
            Self::RouteNotFound => ErrorCode::RouteNotFound,
            Self::MethodNotAllowed => ErrorCode::MethodNotAllowed,
            Self::TransferNotPending => ErrorCode::TransferNotPending,
            Self::UploadIncomplete { .. } => ErrorCode::UploadIncomplete,
            Self::OffsetMismatch { .. } => ErrorCode::OffsetMismatch,
            Self::UploadInProgress => ErrorCode::UploadInProgress,
            Self::SizeMismatch => ErrorCode::SizeMismatch,
            Self::IdempotencyMismatch => ErrorCode::IdempotencyMismatch,
            Self::NotCompleted => ErrorCode::NotCompleted,
            Self::WrongMode => ErrorCode::WrongMode,
            Self::TransferExpired => ErrorCode::TransferExpired,
            Self::TransferExhausted => ErrorCode::TransferExhausted,
            Self::TransferDeleted => ErrorCode::TransferDeleted,
            Self::GrantExpired => ErrorCode::GrantExpired,
            Self::RequestTimeout => ErrorCode::RequestTimeout,
            Self::PayloadTooLarge { .. } => ErrorCode::PayloadTooLarge,
            Self::RangeNotSatisfiable { .. } => ErrorCode::RangeNotSatisfiable,
            Self::RateLimited { .. } => ErrorCode::RateLimited,
            Self::QuotaExceeded { .. } => ErrorCode::QuotaExceeded,
            Self::EventLimitReached => ErrorCode::EventLimitReached,
            Self::Internal(_) => ErrorCode::InternalError,
            Self::StorageUnavailable(_) => ErrorCode::StorageUnavailable,
            Self::StorageFull => ErrorCode::StorageFull,
        }
    }
}
