//! Store header, the checks before a store is used, and the upgrade of older stores.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::layout_guard::LAYOUT_CHECK_INTERVAL;
use super::{IncompleteCopyMarker, LayoutVersion, StorageKey, Store, StoreError, Swap, create, from_json, swap};
use crate::domain::audit::Retention;
use crate::domain::crypto::random;
use crate::domain::maintenance::upgrade::upgrade_records;
use crate::domain::store::Commit;
use crate::domain::timestamp::Timestamp;

/// `store.json`: header of a store, with its format version and store-wide settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreHeader {
    /// Version of the layout; newer versions are rejected, older ones upgraded.
    pub v: LayoutVersion,
    /// Random name of the store, which its copies and backups share; absent in layout 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_id: Option<String>,
    /// Retention of audit records after the end of a transfer, in seconds.
    pub retain_audit_s: u64,
    /// Retention of audit records of reads after they were written, in seconds; absent for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_reads_s: Option<u64>,
    /// Whether the index of transfers is complete; set at the end of an upgrade to layout 3.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transfers_indexed: bool,
    /// Time at which an administrator last accepted a clock that had jumped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_accepted_at: Option<Timestamp>,
}

impl StoreHeader {
    /// Parses the header of a store.
    ///
    /// # Errors
    /// [`StoreError::NewerLayout`] for a newer version; [`StoreError::IncompleteCopy`] for an incomplete copy;
    /// [`StoreError::Corrupt`] for an unknown format.
    pub fn parse(stored: &[u8]) -> Result<Self, StoreError> {
        LayoutVersion::check_stored(stored)?;
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

    /// Returns the header of the current layout for a store with this header.
    fn upgraded(self) -> Self {
        let reads = self.retention().reads().as_secs();
        Self {
            v: LayoutVersion::CURRENT,
            store_id: self.store_id.or_else(|| Some(random::name())),
            // Layout 1 had no retention of reads at first; the default of that time must not change with the default.
            retain_reads_s: Some(reads),
            ..self
        }
    }

    /// Returns the retention of audit records.
    #[must_use]
    pub fn retention(&self) -> Retention {
        Retention::new(Duration::from_secs(self.retain_audit_s), self.retain_reads_s.map(Duration::from_secs))
    }
}

/// Opens a store, checks the backend's guarantees, and upgrades an older layout.
///
/// Reads the store's header, or creates a header with `retention`.
///
/// # Errors
/// [`StoreError::NewerLayout`] for a newer layout, [`StoreError::IncompleteCopy`] for an incomplete copy,
/// [`StoreError::Corrupt`] for an unknown header, [`StoreError::Unusable`] for a backend without the guarantees of
/// [`Records`](super::Records).
pub async fn open_header(store: &dyn Store, retention: Retention) -> Result<StoreHeader, StoreError> {
    let header = read_header(store, retention).await?;
    store.check_guarantees(&StorageKey::header()).await?;
    let is_current = header.v == LayoutVersion::CURRENT && header.transfers_indexed;
    if is_current { Ok(header) } else { upgrade_layout(store).await }
}

/// Upgrades the layout of a store in place, unless it is current. Concurrent upgrades agree on the result.
///
/// The header decides: servers of the older version that look at it stop writing. Then the records are upgraded, which
/// the header notes at the end, so that an upgrade that was killed is repeated.
///
/// # Errors
/// As [`open_header`]; [`StoreError::Unusable`] without a header.
pub async fn upgrade_layout(store: &dyn Store) -> Result<StoreHeader, StoreError> {
    let missing = || StoreError::Unusable("the store has no header".to_owned());
    let upgrade = |found: StoreHeader| {
        found.v.check_supported()?;
        if found.v == LayoutVersion::CURRENT {
            return Ok(Swap::Keep(found));
        }
        let from = found.v;
        let header = found.upgraded();
        tracing::info!(from = from.number(), to = header.v.number(), "upgrading the layout of the storage");
        Ok::<_, StoreError>(Swap::write(header.clone(), Commit::with_reserve(), header))
    };
    check_layout(store).await?;
    let before = StoreHeader::of(store).await?.map(|header| header.v);
    let header = swap(store, &StorageKey::header(), missing, upgrade).await?;
    if before != Some(LayoutVersion::CURRENT) && !store.counter_delay().is_zero() {
        // Without transactions, servers of the older version may write until they look at the header again.
        tokio::time::sleep(LAYOUT_CHECK_INTERVAL).await;
    }
    if header.transfers_indexed {
        return Ok(header);
    }
    upgrade_records(store).await?;
    swap(store, &StorageKey::header(), missing, |mut header: StoreHeader| {
        header.v.check_supported()?;
        header.transfers_indexed = true;
        Ok::<_, StoreError>(Swap::write(header.clone(), Commit::with_reserve(), header))
    })
    .await
}

/// Checks that the layout of `store` is not newer than this program.
///
/// # Errors
/// [`StoreError::NewerLayout`]; the errors of reading the header.
pub async fn check_layout(store: &dyn Store) -> Result<(), StoreError> {
    let header = store.get(&StorageKey::header()).await?;
    header.map_or(Ok(()), |header| LayoutVersion::check_stored(&header.value))
}

async fn read_header(store: &dyn Store, retention: Retention) -> Result<StoreHeader, StoreError> {
    loop {
        if let Some(found) = StoreHeader::of(store).await? {
            return Ok(found);
        }
        let header = StoreHeader {
            v: LayoutVersion::CURRENT,
            store_id: Some(random::name()),
            retain_audit_s: retention.changes().as_secs(),
            retain_reads_s: Some(retention.reads().as_secs()),
            transfers_indexed: true,
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
