//! What stands in place of a store's header while the store is being made as a copy of another one.

use serde::{Deserialize, Serialize};

use crate::domain::random;
use crate::domain::version::V1;

/// The mark in `store.json` by which nobody takes half a copy for a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnfinishedCopy {
    v: V1,
    unfinished_copy: Source,
}

/// Of what it is a copy, and who makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    of: String,
    /// Another one for each process that goes on with it.
    run: String,
}

impl UnfinishedCopy {
    /// The mark of a new run that copies the storage called `of`.
    pub(crate) fn of(of: &str) -> Self {
        Self { v: V1, unfinished_copy: Source { of: of.to_owned(), run: random::name() } }
    }

    /// Reads the mark; `None` for what is none, such as the header of a store.
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok()
    }

    /// What the storage is called that this is a copy of.
    pub(crate) fn source(&self) -> &str {
        &self.unfinished_copy.of
    }
}
