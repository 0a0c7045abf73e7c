//! What is checked before a store is used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{StorageKey, Store, StoreError, UnfinishedCopy, create, from_json};
use crate::domain::store::Commit;
use crate::domain::version::V1;

/// `store.json`: what a store is, and what holds for everything in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreHeader {
    /// The version of the layout; a newer one is refused.
    pub v: V1,
    /// How long audit records stay after a transfer's end, in seconds.
    pub retain_audit_s: u64,
}

impl StoreHeader {
    /// Reads the header of a store.
    ///
    /// # Errors
    /// [`StoreError::UnfinishedCopy`] where it is not yet a store; [`StoreError::Corrupt`] for any other version or form.
    pub fn parse(stored: &[u8]) -> Result<Self, StoreError> {
        match UnfinishedCopy::read(stored) {
            Some(copy) => Err(StoreError::UnfinishedCopy { of: copy.source().to_owned() }),
            None => from_json(StorageKey::header().as_str(), stored),
        }
    }

    /// Reads the header of `store`; `None` for one that has none.
    ///
    /// # Errors
    /// As [`StoreHeader::parse`].
    pub async fn of(store: &dyn Store) -> Result<Option<Self>, StoreError> {
        store.get(&StorageKey::header()).await?.map(|found| Self::parse(&found.value)).transpose()
    }

    /// How long audit records stay after a transfer's end.
    #[must_use]
    pub const fn retain_audit(&self) -> Duration {
        Duration::from_secs(self.retain_audit_s)
    }
}

/// Reads a store's header, and writes one with `retain_audit` into a store that has none; then makes sure that the
/// backend keeps its promises.
///
/// # Errors
/// [`StoreError::Corrupt`] for a store of a version that is not known here, [`StoreError::UnfinishedCopy`] for one that is
/// not yet a store, [`StoreError::Unfit`] for a backend that must not be used.
pub async fn open_header(store: &dyn Store, retain_audit: Duration) -> Result<StoreHeader, StoreError> {
    let header = read_header(store, retain_audit).await?;
    store.prove(&StorageKey::header()).await?;
    Ok(header)
}

async fn read_header(store: &dyn Store, retain_audit: Duration) -> Result<StoreHeader, StoreError> {
    loop {
        if let Some(found) = StoreHeader::of(store).await? {
            return Ok(found);
        }
        let header = StoreHeader { v: V1, retain_audit_s: retain_audit.as_secs() };
        match create(store, StorageKey::header(), &header, Commit::default()).await {
            // Another process was faster: what it wrote holds.
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(header),
        }
    }
}
