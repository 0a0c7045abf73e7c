//! Pagination of lists.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::audit::Record;
use crate::domain::store::Listed;
use crate::domain::timestamp::Timestamp;

/// One page of a list, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// Items of the page.
    pub items: Vec<T>,
    /// Value of `after` for the next page; null if no further page exists yet.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Builds a page from a part of a listing. The name of its last key is the id of the last item.
    ///
    /// A page may have fewer items than its limit, since items can be removed while it is read: only `next` tells
    /// whether there are more.
    #[must_use]
    pub(in crate::domain) fn of(listed: Listed<T>) -> Self {
        Self { items: listed.items, next: listed.next.map(|key| key.name().to_owned()) }
    }
}

/// One page of the audit records of a transfer, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordPage {
    /// Items of the page.
    pub items: Vec<Record>,
    /// Value of `after` for the next page; null if no further page exists yet.
    pub next: Option<String>,
    /// Time before which records of reads are removed; absent if the transfer is younger.
    ///
    /// Also records of rejected requests, client events and downloads of unlimited transfers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads_since: Option<Timestamp>,
}

/// Query parameters that select a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Id of the last item before the page.
    // The kind of id differs between lists, so each route documents this parameter itself.
    #[param(ignore)]
    pub after: Option<String>,
    /// Maximum number of items in the response, 1 to 1 000.
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    pub limit: Option<u32>,
}
