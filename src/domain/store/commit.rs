//! Atomic writes of records.

use bytes::Bytes;

use super::StorageKey;
use crate::domain::stats::CounterDelta;

/// Version of an object, as an opaque text from the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// Value with the version at the time of reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// Value of the object.
    pub value: T,
    /// Version of the object.
    pub version: Version,
}

/// Precondition of a commit on its changed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The object does not exist.
    Absent,
    /// The object still has the version that was read.
    Is(Version),
}

/// Conditional write of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// Key of the object.
    pub key: StorageKey,
    /// Precondition of the write.
    pub condition: Condition,
    /// New value of the object.
    pub value: Bytes,
}

/// Atomic change of an object, with related schedule entries, records, counters and removals.
///
/// A backend with transactions applies a commit in one transaction. A backend without transactions applies the parts in
/// the order of the fields. A crash between two parts then leaves schedule entries without effect, or records not yet
/// written, but never a change without its schedule entries.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Schedule entries for the sweeper, written first. Without transactions they may remain even if the commit fails.
    pub schedule: Vec<StorageKey>,
    /// Changed object; if its condition does not hold, the commit fails.
    pub change: Option<Change>,
    /// Audit records and index entries, written only if absent and never rewritten.
    pub records: Vec<(StorageKey, Bytes)>,
    /// Change of the daily counters.
    pub counter_delta: Option<CounterDelta>,
    /// Keys to remove unconditionally.
    pub removals: Vec<StorageKey>,
    /// Whether the commit may use the store's reserve if no other space is left.
    ///
    /// Deletions, clean-up, and changes by the admin: without them, a full disk could not be emptied.
    pub may_use_reserve: bool,
}

impl Commit {
    /// Creates a commit with only the change of one object.
    #[must_use]
    pub fn of(change: Change) -> Self {
        Self { change: Some(change), ..Self::default() }
    }

    /// Creates an empty commit that may use the store's reserve.
    #[must_use]
    pub fn with_reserve() -> Self {
        Self { may_use_reserve: true, ..Self::default() }
    }
}
