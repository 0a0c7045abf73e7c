//! Responses of `POST …/payload/upload-bytes` and `GET …/upload/status`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::id::TransferId;
use crate::domain::transfer::{Status, UploadKind};

/// Upload progress after an upload request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Received {
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Number of bytes stored so far, which is the offset to resume at.
    pub received_bytes: u64,
}

/// Upload progress, for resuming an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadStatus {
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Status of the transfer.
    pub status: Status,
    /// Kind of upload; null before the first byte.
    pub kind: Option<UploadKind>,
    /// Encrypted size, in bytes.
    pub size_bytes: u64,
    /// Number of bytes stored so far.
    pub received_bytes: u64,
    /// Size of every part except the last, in bytes; absent unless the upload is in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_size_bytes: Option<u64>,
    /// Received parts, as inclusive ranges of part numbers; absent unless the upload is in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts_received: Option<Vec<[u32; 2]>>,
}
