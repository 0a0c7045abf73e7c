//! Lists of transfers, and the deletion of several.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::domain::error::ErrorCode;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{PayloadState, Status, Transfer};

/// Transfer in a list, as shown to its sender and to admins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferItem {
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Id of the token that created the transfer.
    pub token_id: TokenId,
    /// Status of the transfer.
    pub status: Status,
    /// Encrypted size, in bytes.
    pub size_bytes: u64,
    /// Creation time.
    pub created_at: Timestamp,
    /// Time at which the upload finished; null before.
    pub completed_at: Option<Timestamp>,
    /// Expiry time of the transfer's own link.
    pub expires_at: Timestamp,
    /// Time at which the transfer ended; null before.
    pub ended_at: Option<Timestamp>,
    /// Number of downloads under all links. Those under an unlimited link, or under further links, may lag by 1 second;
    /// downloads under further links in the second before a crash of a server may be missing.
    pub download_count: u64,
    /// Download limit of the own link; null means unlimited.
    pub max_downloads: Option<u32>,
    /// Number of further links, which have limits and counts of their own.
    #[serde(default)]
    pub further_links: u64,
    /// Whether the payload still takes space in the storage.
    pub payload_stored: bool,
}

impl TransferItem {
    /// Builds the item for `transfer` at `now`.
    #[must_use]
    pub fn of(transfer: &Transfer, now: Timestamp) -> Self {
        let state = transfer.state_at(now);
        Self {
            transfer_id: transfer.transfer_id,
            token_id: transfer.token_id,
            status: state.status(),
            size_bytes: transfer.size_bytes,
            created_at: transfer.created_at,
            completed_at: state.completed_at(),
            expires_at: transfer.own_link.expires_at,
            ended_at: state.ended_at(),
            download_count: transfer.total_downloads(),
            max_downloads: transfer.own_link.max_downloads,
            further_links: transfer.links.len() as u64,
            payload_stored: transfer.payload != PayloadState::Removed,
        }
    }
}

/// One page of a list of transfers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferPage {
    /// Transfers of the page. There may be fewer than `limit`, also before the last page.
    pub items: Vec<TransferItem>,
    /// Value of `after` for the next page; null on the last page.
    pub next: Option<String>,
    /// Whether only the newest 10 000 transfers were compared; absent if all were.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
}

/// Statuses that a list is limited to, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusFilter(Vec<Status>);

/// Text that is not a list of statuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected pending, completed, expired, exhausted or deleted, or several of them separated by commas")]
pub struct InvalidStatusFilter;

impl StatusFilter {
    /// Creates a filter for these statuses.
    #[must_use]
    pub fn of(statuses: impl IntoIterator<Item = Status>) -> Self {
        Self(statuses.into_iter().collect())
    }

    /// Returns whether the list includes transfers with this status.
    #[must_use]
    pub fn includes(&self, status: Status) -> bool {
        self.0.contains(&status)
    }
}

impl FromStr for StatusFilter {
    type Err = InvalidStatusFilter;

    fn from_str(text: &str) -> Result<Self, InvalidStatusFilter> {
        let status = |name: &str| Status::ALL.into_iter().find(|status| status.as_str() == name);
        text.split(',').map(status).collect::<Option<_>>().map(Self).ok_or(InvalidStatusFilter)
    }
}

impl fmt::Display for StatusFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(","))
    }
}

impl Serialize for StatusFilter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StatusFilter {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format!("state: {error}")))
    }
}

impl PartialSchema for StatusFilter {
    fn schema() -> RefOr<Schema> {
        let names = Status::ALL.map(Status::as_str).join("|");
        crate::domain::wire::schema::pattern(
            "Statuses, separated by commas",
            &format!("^({names})(,({names})){{0,9}}$"),
        )
    }
}

impl ToSchema for StatusFilter {}

/// Order of a list of transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransferOrder {
    /// Newest first.
    #[default]
    Created,
    /// Largest encrypted size first.
    Size,
    /// Most downloads first.
    Downloads,
}

impl TransferOrder {
    /// Returns the order as used in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Size => "size",
            Self::Downloads => "downloads",
        }
    }
}

/// Query parameters of the list of a sender's own transfers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OwnTransferQuery {
    /// `next` of the page before.
    #[param(pattern = "^[0-9a-f]{16}-[0-9a-f]{32}$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Maximum number of items in the response, 1 to 1 000.
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only transfers with one of these statuses.
    #[param(inline, value_type = Option<StatusFilter>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StatusFilter>,
    /// Only transfers that guests uploaded for this request of the token, instead of the token's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<TokenId>,
}

/// Query parameters of the list of all transfers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TransferQuery {
    /// `next` of the page before, in the same order.
    #[param(pattern = "^([0-9a-f]{16}-){1,2}[0-9a-f]{32}$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Maximum number of items in the response, 1 to 1 000.
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only transfers with one of these statuses.
    #[param(inline, value_type = Option<StatusFilter>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StatusFilter>,
    /// Only transfers of the token with this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// Only transfers that were created at least this number of seconds ago.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<u64>,
    /// Order of the list.
    #[param(inline)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<TransferOrder>,
}

/// Transfers to delete: those with the ids, or those of a token that take space or can still be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteTransfers {
    /// Ids of the transfers, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 100)]
    pub transfer_ids: Option<Vec<TransferId>>,
    /// Id of the token whose transfers are deleted, instead of `transfer_ids`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// `next` of the response before, with `token_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^([0-9a-f]{16}-)[0-9a-f]{32}$")]
    pub after: Option<String>,
}

/// Result of a deletion of several transfers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedTransfers {
    /// Result for each transfer, in the order of the request.
    pub items: Vec<DeletedTransfer>,
    /// Value of `after` with which the deletion of a token's transfers continues; null at its end.
    pub next: Option<String>,
}

/// Result for one of several transfers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedTransfer {
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Status of the transfer; null if it is unknown or could not be deleted.
    pub status: Option<Status>,
    /// Why the transfer was not deleted, as the `code` of an error; absent for a deleted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_one_or_more_statuses() {
        let filter: StatusFilter = "pending,exhausted".parse().unwrap();
        assert!(filter.includes(Status::Pending) && filter.includes(Status::Exhausted));
        assert!(!filter.includes(Status::Completed));
        assert_eq!(filter.to_string(), "pending,exhausted");
        assert_eq!(filter, StatusFilter::of([Status::Pending, Status::Exhausted]));
        for wrong in ["", "ready", "pending,", "Pending", "pending deleted"] {
            assert_eq!(wrong.parse::<StatusFilter>(), Err(InvalidStatusFilter), "{wrong}");
        }
    }
}
