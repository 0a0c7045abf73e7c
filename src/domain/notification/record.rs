//! A notification, as it is stored and sent.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::NotificationKind;
use crate::domain::id::{LinkId, RecordId, TokenId, TransferId};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// Message about one event of one transfer.
///
/// Contains no address, key, name or label: receivers are often other companies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notification {
    /// Version of the format.
    pub v: V1,
    /// Id of the notification: the same in every delivery.
    pub id: RecordId,
    /// Kind of event.
    pub kind: NotificationKind,
    /// Time of the event.
    pub at: Timestamp,
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Id of the link that the event concerns, if it is a further link of the transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_id: Option<LinkId>,
    /// Id of the request that the transfer was uploaded for, if a guest uploaded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<TokenId>,
    /// Number of downloads under the link counted so far; of an unlimited link it may lag.
    pub download_count: u64,
    /// Download limit of the link; `null` means unlimited.
    pub max_downloads: Option<u32>,
}
