//! Why a request is not granted, and the stable code that says so on the wire and in the audit trail.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::store::StoreError;

/// What went wrong, with what its answer needs to say.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A member of the request is missing, unknown or out of range.
    #[error("{0}")]
    InvalidRequest(String),
    /// An id in the path has another form.
    #[error("{0}")]
    InvalidId(String),
    /// A sender token is needed.
    #[error("a sender token is needed")]
    TokenMissing,
    /// The token is malformed, unknown or has another secret; which of these is not told.
    #[error("the sender token is not valid")]
    TokenInvalid,
    /// The transfer asks for an access proof.
    #[error("this transfer needs an access proof")]
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
    /// The grant was never given for this transfer.
    #[error("this grant was not given for this transfer")]
    GrantInvalid,
    /// A state-changing request by cookie came from another origin.
    #[error("this request must come from a page of this service")]
    OriginNotAllowed,
    /// There is no such transfer.
    #[error("no such transfer")]
    TransferNotFound,
    /// There is no such token.
    #[error("no such token")]
    TokenNotFound,
    /// There is no such route.
    #[error("no such route")]
    RouteNotFound,
    /// The route exists, with other methods.
    #[error("this route does not answer to this method")]
    MethodNotAllowed,
    /// The upload is over.
    #[error("the upload of this transfer is over")]
    TransferNotPending,
    /// Not every byte has arrived.
    #[error("only {received_bytes} of {size_bytes} bytes have arrived")]
    UploadIncomplete {
        /// Bytes stored so far.
        received_bytes: u64,
        /// Bytes declared.
        size_bytes: u64,
    },
    /// The offset is not where the stored bytes end.
    #[error("the next byte to send is at offset {received_bytes}")]
    OffsetMismatch {
        /// Bytes stored so far.
        received_bytes: u64,
    },
    /// Another request is writing this payload.
    #[error("another request is sending this payload")]
    UploadInProgress,
    /// The stored object has another size than declared, so the transfer has ended.
    #[error("the stored payload has another size than declared, so the transfer was deleted")]
    SizeMismatch,
    /// The idempotency key was used for another body.
    #[error("this idempotency key was used with another body")]
    IdempotencyMismatch,
    /// The payload is not there yet.
    #[error("the upload of this transfer is not complete")]
    NotCompleted,
    /// The route belongs to the other way of moving bytes.
    #[error("bytes of this transfer go another way: follow its mode")]
    WrongMode,
    /// The transfer's time is over.
    #[error("this transfer has expired")]
    TransferExpired,
    /// Every download was used.
    #[error("every download of this transfer was used")]
    TransferExhausted,
    /// The transfer was deleted.
    #[error("this transfer was deleted")]
    TransferDeleted,
    /// The grant has run out.
    #[error("this grant has run out")]
    GrantExpired,
    /// The body came too slowly, or stopped.
    #[error("the request came too slowly")]
    RequestTimeout,
    /// More bytes than allowed.
    #[error("at most {limit_bytes} bytes are accepted here")]
    PayloadTooLarge {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// The range lies outside the payload.
    #[error("the payload has {size_bytes} bytes")]
    RangeNotSatisfiable {
        /// The payload's size.
        size_bytes: u64,
    },
    /// Too many requests.
    #[error("too many requests")]
    RateLimited {
        /// When another try makes sense.
        retry_after: Duration,
    },
    /// The token's quota is used up.
    #[error("the quota of this sender token is used up: {member}")]
    QuotaExceeded {
        /// Which limit, as `tokens/create` calls it.
        member: &'static str,
    },
    /// Enough events were added.
    #[error("no more events can be added")]
    EventLimitReached,
    /// A fault of ours.
    #[error("something went wrong on this server")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store does not answer as it should.
    #[error("the storage is not available")]
    StorageUnavailable(#[source] StoreError),
    /// The store has no room.
    #[error("the storage is full")]
    StorageFull,
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::StorageFull,
            StoreError::WriterBusy => Self::UploadInProgress,
            StoreError::OffsetMismatch { received_bytes } => Self::OffsetMismatch { received_bytes },
            StoreError::Corrupt { .. } | StoreError::Unfit(_) | StoreError::UnfinishedCopy { .. } => {
                Self::Internal(Box::new(error))
            }
            StoreError::Conflict | StoreError::NoPayload | StoreError::Unavailable(_) => {
                Self::StorageUnavailable(error)
            }
        }
    }
}

/// An error with its causes in one line, for a log or for people.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    // Some errors say what their causes say.
    let add = |text: String, cause: String| if text.contains(&cause) { text } else { format!("{text}: {cause}") };
    causes.fold(error.to_string(), add)
}

/// By hand: the derived schema would name the variants, since it does not see through the macro that renames them.
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

/// Defines [`ErrorCode`] with its text forms in one place.
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
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code as it stands on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Reads a code, or `None` for one that this version does not know.
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
    /// The code of this error.
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
