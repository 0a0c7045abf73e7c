//! `POST …/payload/upload-bytes` and `GET …/upload/status`

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::id::TransferId;
use crate::domain::transfer::{Status, UploadKind};

/// What has arrived after an upload request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Received {
    /// Which transfer.
    pub transfer_id: TransferId,
    /// Bytes stored so far: where to go on.
    pub received_bytes: u64,
}

/// What has arrived, for going on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadStatus {
    /// Which transfer.
    pub transfer_id: TransferId,
    /// Its status.
    pub status: Status,
    /// How its bytes arrive; null before the first of them.
    pub kind: Option<UploadKind>,
    /// Size of its sealed payload, in bytes.
    pub size_bytes: u64,
    /// Bytes stored so far.
    pub received_bytes: u64,
    /// Bytes in every part but the last, where it arrives in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_size_bytes: Option<u64>,
    /// The parts that have arrived, as ranges of numbers with both ends, where it arrives in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts_received: Option<Vec<[u32; 2]>>,
}
