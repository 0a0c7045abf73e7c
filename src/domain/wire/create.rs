//! `POST /transfers/create`

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, Type};

use super::Mode;
use crate::domain::digest::Sha256;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;

/// A transfer to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTransfer {
    /// Size of the sealed payload, in bytes.
    #[schema(minimum = 1)]
    pub size_bytes: u64,
    /// How long the transfer lives, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 7_776_000, default = 604_800)]
    pub expires_in_s: Option<u64>,
    /// How many downloads it allows; absent is any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000)]
    pub max_downloads: Option<u32>,
    /// SHA-256 of the access proof that downloading shall take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_sha256: Option<Sha256>,
    /// 64 hex digits: the same key from the same token gives the same transfer again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub idempotency_key: Option<String>,
}

/// A created transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedTransfer {
    /// Its id.
    pub transfer_id: TransferId,
    /// Its status: `pending`, unless an idempotency key found an older one.
    pub status: Status,
    /// Size of its sealed payload, in bytes.
    pub size_bytes: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its time is over.
    pub expires_at: Timestamp,
    /// How many downloads it allows; null is any number.
    pub max_downloads: Option<u32>,
    /// The page for recipients; absolute where the server knows its own address.
    pub page_url: String,
    /// How its payload travels.
    pub mode: Mode,
    /// How to send the payload.
    pub upload: UploadInstruction,
}

/// How to send a payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum UploadInstruction {
    /// Through this service.
    Bytes {
        /// Where to POST the payload.
        url: String,
    },
    /// To the payload store, in one request.
    Single {
        /// The request, but for its body: the payload.
        #[serde(flatten)]
        request: UploadRequest,
        /// Until when the URL works.
        url_expires_at: Timestamp,
        /// Where to POST the payload instead, for clients that cannot reach the store.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fallback_url: Option<String>,
    },
    /// To the payload store, in parts.
    Multipart {
        /// Bytes in every part but the last.
        part_size_bytes: u64,
        /// How many parts there are.
        part_count: u32,
        /// Requests for some of them; `upload/create-presign-urls` answers further and fresh ones.
        parts: Vec<UploadPart>,
        /// Until when the URLs work.
        url_expires_at: Timestamp,
        /// Where to POST the payload instead, for clients that cannot reach the store.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fallback_url: Option<String>,
    },
}

/// A signed request to the payload store. Its body has exactly the length of the payload, or of the part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadRequest {
    /// The HTTP method.
    #[schema(example = "PUT")]
    pub method: String,
    /// Where to; its query is a secret while it works.
    pub url: String,
    /// The headers to send, exactly; `content-length` goes without saying.
    pub headers: BTreeMap<String, String>,
}

/// One part of a payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadPart {
    /// Its number, from 1.
    pub number: u32,
    /// The request, but for its body: the part.
    #[serde(flatten)]
    pub request: UploadRequest,
}

/// The parts to sign URLs for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartNumbers {
    /// Their numbers, from 1, at most 100; none at all asks for the first parts, or for the whole payload's URL.
    #[serde(default)]
    #[schema(schema_with = part_numbers)]
    pub numbers: Vec<u32>,
}

/// What [`PartNumbers`] takes: what cannot be said here is that no number lies beyond the last part.
fn part_numbers() -> Array {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(u32::MAX));
    ArrayBuilder::new()
        .description(Some(
            "Their numbers, from 1, at most 100; none at all asks for the first parts, or for the whole payload's URL.",
        ))
        .items(number)
        .max_items(Some(100))
        .unique_items(true)
        .build()
}
