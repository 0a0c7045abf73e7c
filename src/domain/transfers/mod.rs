//! Operations on transfers, one module per operation.
//!
//! Callers authorise the sender or admin before an operation, by loading the transfer that they pass. Only access to
//! downloads is checked here.

mod authorise;
mod complete;
mod count_download;
mod counts;
mod create;
mod delete;
mod delete_many;
mod download;
mod events;
mod links;
mod list;
mod list_transfers;
mod open_uploads;
mod overview;
mod presigned_urls;
mod reservations;
mod resolve;
mod sweep;
mod sweep_reads;
mod unstored_grants;
mod unwritten;
mod upload;

use std::sync::Arc;

pub(in crate::domain) use create::IdempotencyRecord;
pub use create::{NewTransfer, new_terms};
pub use download::{CreatedDownload, PayloadDownload};
pub use overview::{StoreTotals, store_totals};
pub use presigned_urls::DownloadUrl;
pub use sweep::SweepResult;
pub use upload::{BodyError, PayloadChunk};

use super::address::NetworkKey;
use super::audit::{AuditLog, IpMode, RequestScope, Retention};
use super::clock::Clock;
use super::error::Error;
use super::id::{LinkId, RecordIds, TransferId};
use super::limits::Limits;
use super::stats::{CounterDelta, StatusMoves};
use super::store::{StorageKey, Store, Swap, Version, Versioned, read, swap_known};
use super::timestamp::Timestamp;
use super::transfer::{ResolvedLink, Status, Transfer};
use super::wire::{Flow, Mode};
use crate::domain::limits::download_limit::NEW_DOWNLOADS;
use crate::domain::limits::failed_attempts::FailedAttempts;
use crate::domain::limits::failed_attempts::WRONG_PROOFS;
use crate::domain::limits::free_space::MinFreeSpace;
use crate::domain::limits::window::Window;

/// Maximum number of transfers whose stored events are being counted.
const EVENT_COUNTS: usize = 8;

/// Transfers of a store.
#[derive(Clone)]
pub struct Transfers(Arc<TransfersInner>);

struct TransfersInner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<RecordIds>,
    audit: AuditLog,
    settings: TransferSettings,
    counts: counts::DownloadCounts,
    event_limit: crate::domain::limits::event_limit::EventLimit,
    /// Permits for reading a page of stored events into memory.
    event_counts: tokio::sync::Semaphore,
    transfer_locks: crate::domain::limits::keyed_mutex::KeyedMutex,
    quota_changes: reservations::QuotaChanges,
    link_locks: crate::domain::limits::keyed_mutex::KeyedMutex,
    failed_proofs: FailedAttempts<(LinkId, NetworkKey)>,
    completed_entries: reservations::CompletedEntries,
    seen_entries: reservations::SeenEntries,
    download_rate_limit: Window<(LinkId, NetworkKey)>,
    open_uploads: open_uploads::OpenUploads,
    unstored_grants: unstored_grants::UnstoredGrants,
    unwritten_deletions: unwritten::UnwrittenDeletions,
}

/// Settings that apply to all transfers of a service.
#[derive(Clone, Copy, Debug)]
pub struct TransferSettings {
    /// Limits on new transfers.
    pub limits: Limits,
    /// Retention of audit records.
    pub retention: Retention,
    /// Form in which client addresses are stored.
    pub ip_mode: IpMode,
    /// Free space that uploads must leave.
    pub min_free: MinFreeSpace,
    /// Whether payloads may also pass through this service when presigned URLs are available.
    pub bytes_fallback: bool,
}

impl Transfers {
    /// Creates the service over the transfers of `store`, with `settings`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<RecordIds>,
        audit: AuditLog,
        settings: TransferSettings,
    ) -> Self {
        let (counts, event_limit, transfer_locks, quota_changes, completed_entries) = Default::default();
        let (open_uploads, unstored_grants, link_locks) = Default::default();
        let failed_proofs = FailedAttempts::new(WRONG_PROOFS);
        Self(Arc::new(TransfersInner {
            store,
            clock,
            ids,
            audit,
            settings,
            counts,
            event_limit,
            event_counts: tokio::sync::Semaphore::new(EVENT_COUNTS),
            transfer_locks,
            quota_changes,
            link_locks,
            failed_proofs,
            completed_entries,
            seen_entries: reservations::SeenEntries::default(),
            download_rate_limit: Window::new(NEW_DOWNLOADS),
            open_uploads,
            unstored_grants,
            unwritten_deletions: unwritten::UnwrittenDeletions::default(),
        }))
    }

    /// Returns the settings for all transfers.
    #[must_use]
    pub fn settings(&self) -> &TransferSettings {
        &self.0.settings
    }

    /// Returns the mode of transfers: presigned URLs if the store supports them, else through the service.
    #[must_use]
    pub fn mode(&self) -> Mode {
        Mode::of(self.0.store.presigner().is_some())
    }

    /// Returns the mode of downloads under a link, and of uploads.
    ///
    /// Downloads under a further link pass through the service if presigned URLs would name the transfer.
    #[must_use]
    pub fn mode_of(&self, link: &ResolvedLink) -> Mode {
        let mode = self.mode();
        if self.must_pass_through(link) { Mode { download: Flow::Bytes, ..mode } } else { mode }
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn store(&self) -> &dyn Store {
        self.0.store.as_ref()
    }

    /// Reads a transfer, and names it in the records of the request.
    ///
    /// # Errors
    /// [`Error::TransferNotFound`].
    pub async fn find(&self, scope: &RequestScope, id: TransferId) -> Result<Transfer, Error> {
        scope.set_transfer(id);
        let transfer = self.read_transfer(id).await?;
        scope.set_existing_transfer(id);
        Ok(transfer)
    }

    /// Reads a transfer whose name the records of the request have already.
    async fn read_transfer(&self, id: TransferId) -> Result<Transfer, Error> {
        let found = read::<Transfer>(self.store(), &StorageKey::transfer(id)).await?.ok_or(Error::TransferNotFound)?;
        Ok(self.with_deletion(found.value))
    }

    /// Changes a transfer by compare-and-swap, under the transfer's lock in this process.
    ///
    /// A change by a request writes the commit of its scope, which also records the request.
    async fn change<'scope, A: Send>(
        &self,
        id: TransferId,
        decide: impl FnMut(Transfer) -> Result<Swap<'scope, Transfer, A>, Error> + Send,
    ) -> Result<A, Error> {
        let _lock = self.0.transfer_locks.lock(id).await;
        Ok(self.change_locked(id, None, decide).await?.0)
    }

    /// Changes a transfer by compare-and-swap; the caller holds the transfer's lock.
    ///
    /// The first try takes the transfer as it is `known`, without reading it. Also returns the version that was written.
    async fn change_locked<'scope, A: Send>(
        &self,
        id: TransferId,
        known: Option<Versioned<Transfer>>,
        decide: impl FnMut(Transfer) -> Result<Swap<'scope, Transfer, A>, Error> + Send,
    ) -> Result<(A, Option<Version>), Error> {
        self.write_deletion(id).await?;
        swap_known(self.store(), &StorageKey::transfer(id), known, || Error::TransferNotFound, decide).await
    }
}

/// Creates the counter change of a transfer whose stored status changes.
fn status_change(now: Timestamp, from: Status, to: Status) -> CounterDelta {
    CounterDelta { status_moves: StatusMoves::one(Some(from), Some(to)), ..CounterDelta::on(now.day()) }
}

#[cfg(test)]
mod tests;
