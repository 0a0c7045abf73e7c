//! Bodies of `POST /transfers/create`, and instructions for uploads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, Type};

use super::{Mode, OwnLinkChoice};
use crate::domain::crypto::digest::Sha256;
use crate::domain::id::TransferId;
use crate::domain::notification::NotificationChoice;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;

/// A transfer to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTransfer {
    /// Encrypted size (the size of the sealed payload), in bytes.
    #[schema(minimum = 1)]
    pub size_bytes: u64,
    /// Lifetime of the transfer, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 7_776_000, default = 604_800)]
    pub expires_in_s: Option<u64>,
    /// Download limit; absent means unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000)]
    pub max_downloads: Option<u32>,
    /// SHA-256 of the access proof required for downloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_sha256: Option<Sha256>,
    /// Whether the access proof depends on a passphrase, which could be guessed. Wrong proofs of a client network are
    /// limited then. Without a passphrase, the proof consists of 256 random bits.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    #[schema(default = true)]
    pub access_from_passphrase: bool,
    /// Use of the transfer's own link. `closed` makes a transfer with further links only.
    #[serde(default, skip_serializing_if = "OwnLinkChoice::is_open")]
    #[schema(inline)]
    pub own_link: OwnLinkChoice,
    /// 64 hex digits. A repeated request with the same key and token returns the existing transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub idempotency_key: Option<String>,
    /// Choice of the notifications that the transfer causes; absent means the default of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotificationChoice>,
}

pub(super) const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(super) const fn is_yes(value: &bool) -> bool {
    *value
}

/// A created transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedTransfer {
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Status: `pending`, unless the idempotency key matched an existing transfer.
    pub status: Status,
    /// Encrypted size, in bytes.
    pub size_bytes: u64,
    /// Creation time.
    pub created_at: Timestamp,
    /// Expiry time.
    pub expires_at: Timestamp,
    /// Download limit; null means unlimited.
    pub max_downloads: Option<u32>,
    /// URL of the download page for recipients; absolute if the server's public URL is configured.
    pub page_url: String,
    /// Mode of upload and download: presigned URLs, or bytes through this service.
    pub mode: Mode,
    /// Instructions for the upload.
    pub upload: UploadInstruction,
}

/// Instructions for the upload of a payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum UploadInstruction {
    /// Upload through this service.
    Bytes {
        /// URL to POST the payload to.
        url: String,
    },
    /// Upload to the payload store, in one request.
    Single {
        /// Method, URL and headers of the request; its body is the payload.
        #[serde(flatten)]
        request: UploadRequest,
        /// Expiry time of the URL.
        url_expires_at: Timestamp,
        /// URL of this service to POST the payload to, for clients that cannot reach the store.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fallback_url: Option<String>,
    },
    /// Upload to the payload store, in parts.
    Multipart {
        /// Size of every part except the last, in bytes.
        part_size_bytes: u64,
        /// Number of parts.
        part_count: u32,
        /// Requests for some of the parts; `upload/create-presign-urls` returns other parts and renewed URLs.
        parts: Vec<UploadPart>,
        /// Expiry time of the URLs.
        url_expires_at: Timestamp,
        /// URL of this service to POST the payload to, for clients that cannot reach the store.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fallback_url: Option<String>,
    },
}

/// A signed request to the payload store. Its body must have exactly the length of the payload or part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadRequest {
    /// The HTTP method.
    #[schema(example = "PUT")]
    pub method: String,
    /// URL of the request; its query is secret until the URL expires.
    pub url: String,
    /// Headers to send unchanged, in addition to `content-length`.
    pub headers: BTreeMap<String, String>,
}

/// One part of a payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadPart {
    /// Number of the part, starting at 1.
    pub number: u32,
    /// Method, URL and headers of the request; its body is the part.
    #[serde(flatten)]
    pub request: UploadRequest,
}

/// Request for presigned upload URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartNumbers {
    /// Part numbers, starting at 1, at most 100. An empty list selects the first parts, or the whole payload.
    #[serde(default)]
    #[schema(schema_with = part_numbers)]
    pub numbers: Vec<u32>,
}

/// Schema of the numbers in [`PartNumbers`].
///
/// A schema cannot express the remaining rule: each number must be at most the transfer's number of parts.
fn part_numbers() -> Array {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(u32::MAX));
    ArrayBuilder::new()
        .description(Some(
            "Part numbers, starting at 1, at most 100; an empty list selects the first parts, or the whole payload.",
        ))
        .items(number)
        .max_items(Some(100))
        .unique_items(true)
        .build()
}
