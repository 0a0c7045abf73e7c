//! Storage interface for transfers, tokens, audit records and payloads, independent of the backend.
//!
//! A [`Store`] combines [`Records`] (small objects changed by compare-and-swap), [`Payloads`] (large objects written
//! once) and, in backends with presigned requests, a [`Presigner`]. All backends pass the tests in `tests/store/`.

mod backoff;
mod commit;
mod error;
#[cfg(test)]
mod faulty;
mod incomplete_copy;
mod key;
mod layout;
mod layout_guard;
mod memory;
mod notification_key;
mod opening;
mod payloads;
mod presigner;
mod probe;
mod records;
mod schedule_entry;
mod transfer_index;
mod typed;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub(crate) use backoff::Backoff;
pub use commit::{Change, Commit, Condition, Version, Versioned};
pub use error::StoreError;
#[cfg(test)]
pub(crate) use faulty::{FaultInjector, FaultyStore};
pub(crate) use incomplete_copy::IncompleteCopyMarker;
pub use key::{Prefix, StorageKey};
pub use layout::LayoutVersion;
pub use layout_guard::LAYOUT_CHECK_INTERVAL;
pub(crate) use layout_guard::LayoutGuard;
pub use memory::MemoryStore;
pub use notification_key::{OutboxEntry, OutboxQueue};
pub use opening::{StoreHeader, check_layout, open_header, upgrade_layout};
pub use payloads::{PayloadObjects, PayloadStream, PayloadWriter, Payloads, transfer_of_payload};
pub use presigner::{Presigner, SignedRequest};
pub use probe::{PayloadProbeError, probe_reading, probe_writing, remove_probe_leftovers};
pub use records::{Listed, Records};
pub use schedule_entry::{ScheduleEntry, ScheduledWork};
pub use transfer_index::{IndexCursor, IndexOrder, InvalidIndexCursor, TransferIndexEntry};
pub(crate) use typed::from_json;
pub use typed::{Read, Swap, create, list, read, swap, swap_known, to_json};

use crate::domain::limits::free_space::{FreeSpace, SpaceReading};

/// Complete storage of a service.
#[async_trait]
pub trait Store: Records + Payloads + fmt::Debug {
    /// Checks the backend's guarantees for [`Records`] on the object at `key`. Leaves the object unchanged.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for a backend without these guarantees, which must not be used.
    async fn check_guarantees(&self, _key: &StorageKey) -> Result<(), StoreError> {
        Ok(())
    }

    /// Stops writes that no caller requested: completing interrupted commits, and probing for free space.
    ///
    /// Called once the store has a newer layout.
    fn stop_writing(&self) {}

    /// Returns the time after which every server has written the counter changes that it buffers now.
    ///
    /// Zero if no server buffers counters.
    fn counter_delay(&self) -> Duration {
        Duration::ZERO
    }

    /// Returns the number of transfers that a sweep processes at once.
    ///
    /// The store combines their commits: more at once take fewer transactions.
    fn cleanup_concurrency(&self) -> usize {
        64
    }

    /// Proves that payloads can be written and read back, with a temporary object.
    ///
    /// # Errors
    /// [`PayloadProbeError`] tells which of the two fails.
    async fn probe_payloads(&self) -> Result<(), PayloadProbeError> {
        Ok(())
    }

    /// Writes what earlier commits have left to do, in backends without transactions.
    ///
    /// These are buffered counter changes, and records of commits that were cancelled.
    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns the free space for payloads; `None` if the backend has no known limit.
    async fn free_space(&self) -> Result<Option<FreeSpace>, StoreError> {
        Ok(None)
    }

    /// Returns the free space as last measured, at most a second ago. Reads memory only.
    fn space(&self) -> SpaceReading {
        SpaceReading::default()
    }

    /// Measures the free space now, for the next call of [`Store::space`]. For a full bucket, tries a write.
    async fn measure_space(&self) {}

    /// Returns the signer of requests between clients and the payload store; `None` if unsupported.
    ///
    /// Support for presigned requests alone decides the `mode` of transfers.
    fn presigner(&self) -> Option<&dyn Presigner> {
        None
    }
}
