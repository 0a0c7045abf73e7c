//! Pagination of lists.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One page of a list, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// Items of the page.
    pub items: Vec<T>,
    /// Value of `after` for the next page; null if no further page exists yet.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Builds a page of at most `size` items from up to `size + 1` items.
    ///
    /// The extra item only shows that a further page exists. `id` returns an item's id, for `next`.
    #[must_use]
    pub fn of(mut items: Vec<T>, size: usize, id: impl Fn(&T) -> String) -> Self {
        let has_more = items.len() > size;
        items.truncate(size);
        let next = items.last().filter(|_| has_more).map(id);
        Self { items, next }
    }
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
