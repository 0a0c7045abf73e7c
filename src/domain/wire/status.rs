//! Response of `GET …/status`, and types shared with other responses.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Transparency;
use crate::domain::crypto::info::SealedInfo;
use crate::domain::crypto::link_text::WrappedKey;
use crate::domain::crypto::sealed_signature::SealedSignature;
use crate::domain::id::TransferId;
use crate::domain::people::recipient_keys::KeysBlob;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{ResolvedLink, Status, Transfer};

/// Path of payload bytes between client and store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// Directly between client and payload store, with presigned URLs.
    Presigned,
    /// Through this service.
    Bytes,
}

/// Mode of uploads and downloads; clients must follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mode {
    /// Path of uploads.
    pub upload: Flow,
    /// Path of downloads.
    pub download: Flow,
}

impl Mode {
    /// Returns the mode for a store that does or does not support presigned URLs.
    #[must_use]
    pub const fn of(can_presign: bool) -> Self {
        let flow = if can_presign { Flow::Presigned } else { Flow::Bytes };
        Self { upload: flow, download: flow }
    }
}

/// State of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferStatus {
    /// Id asked for: that of the transfer, or of the further link.
    pub transfer_id: TransferId,
    /// Status of the transfer or link.
    pub status: Status,
    /// Encrypted size, in bytes.
    pub size_bytes: u64,
    /// Creation time of the transfer or link.
    pub created_at: Timestamp,
    /// Time at which the upload finished; null before.
    pub completed_at: Option<Timestamp>,
    /// Expiry time.
    pub expires_at: Timestamp,
    /// Number of counted downloads; may lag by 1 second for an unlimited transfer.
    pub download_count: u64,
    /// Download limit; null means unlimited.
    pub max_downloads: Option<u32>,
    /// Remaining downloads; null means unlimited.
    pub downloads_remaining: Option<u32>,
    /// Whether downloads require an access proof.
    pub access_proof: bool,
    /// Mode of upload and download: presigned URLs, or bytes through this service.
    pub mode: Mode,
    /// Encrypted payload key, for clients with the key of a further link. Absent under the transfer's own link. As the
    /// info block, only for a ready transfer and with the access proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapped_key: Option<WrappedKey>,
    /// Encrypted name, size and message, for clients with the payload key. Only in responses of `status` for a ready
    /// transfer, and with the access proof if the transfer requires one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<SealedInfo>,
    /// Encrypted signature of the sender, for clients with the payload key. Returned as the info block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SealedSignature>,
}

impl TransferStatus {
    /// Builds the state of `transfer` at `now`, with the downloads of its own link.
    #[must_use]
    pub fn of(transfer: &Transfer, mode: Mode, now: Timestamp) -> Self {
        let status = transfer.state_at(now).status();
        Self { status, ..Self::of_link(&transfer.clone().into(), mode, now) }
    }

    /// Builds the state of `link` at `now`. Names the transfer only under its own link.
    #[must_use]
    pub fn of_link(link: &ResolvedLink, mode: Mode, now: Timestamp) -> Self {
        let record = link.record();
        Self {
            transfer_id: link.id().as_transfer(),
            status: link.at(now).status(),
            size_bytes: link.transfer.size_bytes,
            created_at: link.created_at(),
            completed_at: link.transfer.state_at(now).completed_at(),
            expires_at: record.expires_at,
            download_count: record.download_count(),
            max_downloads: record.max_downloads,
            downloads_remaining: record.downloads_remaining(),
            access_proof: record.access_sha256.is_some(),
            mode,
            wrapped_key: None,
            info: None,
            signature: None,
        }
    }
}

/// Response of `POST …/upload/complete`: the transfer's state, and the data stored about the sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CompletedTransfer {
    /// State of the transfer.
    #[serde(flatten)]
    pub status: TransferStatus,
    /// Data stored about the sender.
    pub transparency: Transparency,
}

/// Body of `POST …/upload/complete`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteUpload {
    /// Encrypted name, size and message; given to recipients before they download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<SealedInfo>,
    /// Payload key wrapped for recipients; given to everybody with the id of the transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeysBlob>,
    /// Encrypted signature of the sender; given to recipients before they download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SealedSignature>,
}

/// A JSON object without members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}
