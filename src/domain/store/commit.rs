//! The one way to write records.

use bytes::Bytes;

use super::StorageKey;
use crate::domain::stats::Tally;

/// Which of an object's states was read; opaque, from the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// A value with the version that it was read in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Its version.
    pub version: Version,
}

/// The state that an object must be in for a commit to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It does not exist.
    Absent,
    /// It is as it was read.
    Is(Version),
}

/// One object's change.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which object.
    pub key: StorageKey,
    /// What it must be now.
    pub condition: Condition,
    /// What it becomes.
    pub value: Bytes,
}

/// A change with all that belongs to it: done whole or not at all.
///
/// A backend with transactions does all of it in one. One without does the parts in the order in which they stand
/// here, so that a crash between two of them leaves hints that lead nowhere or records still to be put, never a
/// change that nothing tells of.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Hints for the sweeper, put before all else; without transactions they may be left where the rest does not happen.
    pub hints: Vec<StorageKey>,
    /// The object that decides: if its condition does not hold, nothing else is written.
    pub change: Option<Change>,
    /// Records, put if absent: each is written once and never rewritten.
    pub records: Vec<(StorageKey, Bytes)>,
    /// What it adds to the day's counters.
    pub tally: Option<Tally>,
    /// Keys that are no longer needed, removed whatever they hold.
    pub removals: Vec<StorageKey>,
}

impl Commit {
    /// A commit that changes one object.
    #[must_use]
    pub fn of(change: Change) -> Self {
        Self { change: Some(change), ..Self::default() }
    }
}
