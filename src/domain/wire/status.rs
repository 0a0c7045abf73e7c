//! `GET …/status`, and what other answers share with it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Transparency;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{Status, Transfer};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// Between client and payload store, by presigned URLs.
    Presigned,
    /// Through this service.
    Bytes,
}

/// How payloads travel: clients follow it and never guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mode {
    /// From the sender.
    pub upload: Flow,
    /// To recipients.
    pub download: Flow,
}

impl Mode {
    /// The mode of a store that can or cannot presign.
    #[must_use]
    pub const fn of(presigns: bool) -> Self {
        let flow = if presigns { Flow::Presigned } else { Flow::Bytes };
        Self { upload: flow, download: flow }
    }
}

/// A transfer's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferStatus {
    /// Which transfer.
    pub transfer_id: TransferId,
    /// Its status.
    pub status: Status,
    /// Size of its sealed payload, in bytes.
    pub size_bytes: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When every byte was there; null before.
    pub completed_at: Option<Timestamp>,
    /// When its time is over.
    pub expires_at: Timestamp,
    /// Downloads counted; of an unlimited transfer it may lag a second.
    pub download_count: u64,
    /// How many downloads it allows; null is any number.
    pub max_downloads: Option<u32>,
    /// Downloads left; null is any number.
    pub downloads_remaining: Option<u32>,
    /// Whether downloading takes an access proof.
    pub access_proof: bool,
    /// How its payload travels.
    pub mode: Mode,
}

impl TransferStatus {
    /// The state of `transfer` at `now`.
    #[must_use]
    pub fn of(transfer: &Transfer, mode: Mode, now: Timestamp) -> Self {
        let state = transfer.state_at(now);
        Self {
            transfer_id: transfer.transfer_id,
            status: state.status(),
            size_bytes: transfer.size_bytes,
            created_at: transfer.created_at,
            completed_at: state.completed_at(),
            expires_at: transfer.expires_at,
            download_count: transfer.download_count(),
            max_downloads: transfer.max_downloads,
            downloads_remaining: transfer.downloads_remaining(),
            access_proof: transfer.access_sha256.is_some(),
            mode,
        }
    }
}

/// `POST …/upload/complete`: the state, and what was stored about the sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CompletedTransfer {
    /// The state.
    #[serde(flatten)]
    pub status: TransferStatus,
    /// What was stored about the sender.
    pub transparency: Transparency,
}

/// A body without members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}
