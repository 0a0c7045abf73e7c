//! `POST /transfers/create`

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
}
