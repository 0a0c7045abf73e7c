//! Probes of a store in use: reading and writing of records, and errors of those of payloads.

use std::time::Duration;

use bytes::Bytes;

use super::{Change, Commit, Condition, LayoutVersion, StorageKey, Store, StoreError};
use crate::domain::id::RecordId;
use crate::domain::timestamp::Timestamp;

/// Age from which a probe's object is what a crash has left.
const LEFTOVER_AFTER: Duration = Duration::from_hours(1);
/// Maximum number of leftovers that one call removes.
const LEFTOVERS: usize = 100;

/// Error of a payload probe.
#[derive(Debug, thiserror::Error)]
pub enum PayloadProbeError {
    /// The probe could not be written, or not be removed.
    #[error("cannot write a payload")]
    Write(#[source] StoreError),
    /// The probe was written, but its bytes could not be read back.
    #[error("cannot read a payload")]
    Read(#[source] StoreError),
}

/// Proves that a record can be read: the header, which each store has.
///
/// # Errors
/// The error of the store; [`StoreError::Unavailable`] without a header; [`StoreError::NewerLayout`].
pub async fn probe_reading(store: &dyn Store) -> Result<(), StoreError> {
    let header = store.get(&StorageKey::header()).await?;
    let header = header.ok_or_else(|| StoreError::unavailable("the store header is missing"))?;
    LayoutVersion::check_stored(&header.value)
}

/// Proves that a record can be written, by an object that the same commit removes again.
///
/// # Errors
/// The error of the store.
pub async fn probe_writing(store: &dyn Store, id: RecordId) -> Result<(), StoreError> {
    let key = StorageKey::probe(&id);
    let change = Change { key: key.clone(), condition: Condition::Absent, value: Bytes::from_static(b"{}") };
    store.commit(Commit { removals: vec![key], ..Commit::of(change) }).await.map(drop)
}

/// Removes the objects of probes that a crash has left, in backends without transactions.
///
/// # Errors
/// The error of the store.
pub async fn remove_probe_leftovers(store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
    let mut removals = store.keys(&StorageKey::all_probes(), None, LEFTOVERS).await?;
    let end = now.minus(LEFTOVER_AFTER);
    removals.retain(|key| key.name().parse::<RecordId>().is_ok_and(|id| id.at() < end));
    if removals.is_empty() {
        return Ok(());
    }
    store.commit(Commit { removals, ..Commit::with_reserve() }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::RecordIds;
    use crate::domain::store::{MemoryStore, Records};

    #[tokio::test]
    async fn probes_leave_nothing_and_old_leftovers_are_removed() {
        let store = MemoryStore::default();
        // Ids of one generator never go back.
        let id = |at| RecordIds::default().next(at);
        let now = Timestamp::from_millis(1_767_268_800_000);
        probe_writing(&store, id(now)).await.unwrap();
        let keys = async || store.keys(&StorageKey::all_objects(), None, 9).await.unwrap();
        assert_eq!(keys().await, []);
        let (old, new) = (id(now.minus(LEFTOVER_AFTER * 2)), id(now));
        let (old, new) = (StorageKey::probe(&old), StorageKey::probe(&new));
        let leftovers = [&old, &new].map(|key| (key.clone(), Bytes::from_static(b"{}")));
        store.commit(Commit { records: leftovers.into(), ..Commit::default() }).await.unwrap();
        assert_eq!(keys().await.len(), 2);
        remove_probe_leftovers(&store, now).await.unwrap();
        assert_eq!(keys().await, [new]);
        let unreadable = probe_reading(&store).await.unwrap_err();
        assert!(matches!(unreadable, StoreError::Unavailable(_)), "{unreadable:?}");
    }
}
