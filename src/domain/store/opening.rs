//! Store header, and the checks before a store is used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{IncompleteCopyMarker, StorageKey, Store, StoreError, Swap, create, from_json, swap};
use crate::domain::audit::Retention;
use crate::domain::store::Commit;
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// `store.json`: header of a store, with its format version and store-wide settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreHeader {
    /// Version of the layout; other versions are rejected.
    pub v: V1,
    /// Retention of audit records after the end of a transfer, in seconds.
    pub retain_audit_s: u64,
    /// Retention of audit records of reads after they were written, in seconds; absent for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_reads_s: Option<u64>,
    /// Time at which an administrator last accepted a clock that had jumped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_accepted_at: Option<Timestamp>,
}

impl StoreHeader {
    /// Parses the header of a store.
    ///
    /// # Errors
    /// [`StoreError::IncompleteCopy`] for an incomplete copy; [`StoreError::Corrupt`] for an unknown version or format.
    pub fn parse(stored: &[u8]) -> Result<Self, StoreError> {
        match IncompleteCopyMarker::read(stored) {
            Some(copy) => Err(StoreError::IncompleteCopy { of: copy.source().to_owned() }),
            None => from_json(StorageKey::header().as_str(), stored),
        }
    }

    /// Reads the header of `store`; `None` if the store has no header.
    ///
    /// # Errors
    /// As [`StoreHeader::parse`].
    pub async fn of(store: &dyn Store) -> Result<Option<Self>, StoreError> {
        store.get(&StorageKey::header()).await?.map(|found| Self::parse(&found.value)).transpose()
    }

    /// Stores that an administrator accepts the clock at `now`, so that services sweep after a jump.
    ///
    /// # Errors
    /// As [`StoreHeader::of`]; [`StoreError::Unusable`] without a header.
    pub async fn accept_clock(store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        let missing = || StoreError::Unusable("the store has no header".to_owned());
        swap(store, &StorageKey::header(), missing, |mut header: Self| {
            header.clock_accepted_at = Some(now);
            Ok(Swap::write(header, Commit::with_reserve(), ()))
        })
        .await
    }

    /// Returns the retention of audit records.
    #[must_use]
    pub fn retention(&self) -> Retention {
        Retention::new(Duration::from_secs(self.retain_audit_s), self.retain_reads_s.map(Duration::from_secs))
    }
}

/// Opens a store, and checks the backend's guarantees. Reads the store's header, or creates a header with `retention`.
///
/// # Errors
/// [`StoreError::Corrupt`] for an unknown version of the layout, [`StoreError::IncompleteCopy`] for an incomplete copy,
/// [`StoreError::Unusable`] for a backend without the guarantees of [`Records`](super::Records).
pub async fn open_header(store: &dyn Store, retention: Retention) -> Result<StoreHeader, StoreError> {
    let header = read_header(store, retention).await?;
    store.check_guarantees(&StorageKey::header()).await?;
    Ok(header)
}

async fn read_header(store: &dyn Store, retention: Retention) -> Result<StoreHeader, StoreError> {
    loop {
        if let Some(found) = StoreHeader::of(store).await? {
            return Ok(found);
        }
        let header = StoreHeader {
            v: V1,
            retain_audit_s: retention.changes().as_secs(),
            retain_reads_s: Some(retention.reads().as_secs()),
            clock_accepted_at: None,
        };
        match create(store, StorageKey::header(), &header, Commit::default()).await {
            // Another process has created the header first: use that header.
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(header),
        }
    }
}
