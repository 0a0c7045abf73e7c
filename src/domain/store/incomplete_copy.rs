//! Incomplete-copy marker, stored in place of the store header until a copy is finished.

use serde::{Deserialize, Serialize};

use crate::domain::crypto::random;
use crate::domain::version::V1;

/// Marker in `store.json` of an incomplete copy, so that no service opens the copy as a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IncompleteCopyMarker {
    v: V1,
    unfinished_copy: CopySource,
}

/// Source of the copy, and the run writing the copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CopySource {
    /// Name of the storage being copied.
    of: String,
    /// Random name of the run; each process that starts or resumes the copy uses a new name.
    run: String,
}

impl IncompleteCopyMarker {
    /// Creates the marker of a new run that copies the storage `of`.
    pub(crate) fn of(of: &str) -> Self {
        Self { v: V1, unfinished_copy: CopySource { of: of.to_owned(), run: random::name() } }
    }

    /// Parses a marker; `None` for any other content, such as a store header.
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok()
    }

    /// Returns the name of the storage being copied.
    pub(crate) fn source(&self) -> &str {
        &self.unfinished_copy.of
    }
}
