//! Lists, in pages.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One page of a list, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask for as `after` to get the next page; null where there is none now.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of `size` items out of up to one more than that: the one more tells that there is another page.
    #[must_use]
    pub fn of(mut items: Vec<T>, size: usize, id: impl Fn(&T) -> String) -> Self {
        let more = items.len() > size;
        items.truncate(size);
        let next = items.last().filter(|_| more).map(id);
        Self { items, next }
    }
}

/// Which page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The id of the item after which the page begins.
    // Which id that is differs from list to list, so each route says it of itself.
    #[param(ignore)]
    pub after: Option<String>,
    /// The most items to answer, 1 to 1 000.
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    pub limit: Option<u32>,
}
