//! Uploads in progress in this process: number per sender token, and total of outstanding bytes.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::Transfers;
use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::limits::LimitName;
use crate::domain::limits::concurrency::{Concurrency, Permit};
use crate::domain::limits::free_space::FreeSpaceLevel;
use crate::domain::transfer::Transfer;
use crate::domain::wire::StorageSpace;

/// Maximum number of concurrent uploads per sender token.
///
/// A quarter of the writers of a store in a bucket, so that two senders cannot use all of them.
const MAX_UPLOADS_PER_TOKEN: usize = 16;

/// Retry delay for a sender over the limit.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// All uploads in progress.
pub(super) struct OpenUploads {
    limit: Concurrency<TokenId>,
    total_outstanding: OutstandingBytes,
}

/// Number of expected bytes not yet received, over all uploads. The free space is its only limit.
#[derive(Clone, Default)]
struct OutstandingBytes(Arc<Mutex<u64>>);

/// Upload in progress; dropping it ends its part of the counters.
pub(super) struct OpenUpload {
    _permit: Permit<TokenId>,
    all: OutstandingBytes,
    total_outstanding: u64,
    received_any: bool,
}

impl Default for OpenUploads {
    fn default() -> Self {
        Self { limit: Concurrency::per_key(MAX_UPLOADS_PER_TOKEN), total_outstanding: OutstandingBytes::default() }
    }
}

impl OpenUploads {
    /// Returns the number of expected bytes not yet received, over all uploads.
    fn total_outstanding(&self) -> u64 {
        *self.total_outstanding.lock()
    }

    /// Returns the number of uploads.
    fn count(&self) -> usize {
        self.limit.total()
    }

    fn begin(&self, token: TokenId) -> Result<OpenUpload, Error> {
        let permit = self
            .limit
            .try_acquire(token)
            .ok_or(Error::RateLimited { limit: LimitName::TokenUploads, retry_after: RETRY_AFTER })?;
        Ok(OpenUpload {
            _permit: permit,
            all: self.total_outstanding.clone(),
            total_outstanding: 0,
            received_any: false,
        })
    }
}

impl OutstandingBytes {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.lock().expect("the lock is never poisoned")
    }
}

impl OpenUpload {
    /// Adds `bytes` expected bytes.
    fn expect(&mut self, bytes: u64) {
        self.total_outstanding = self.total_outstanding.saturating_add(bytes);
        let mut all = self.all.lock();
        *all = all.saturating_add(bytes);
    }

    /// Returns whether at least one byte has arrived.
    pub(super) fn has_received_any(&self) -> bool {
        self.received_any
    }

    /// Subtracts received bytes from the expected bytes.
    pub(super) fn add_received(&mut self, bytes: u64) {
        self.received_any |= bytes > 0;
        let bytes = bytes.min(self.total_outstanding);
        self.total_outstanding -= bytes;
        let mut all = self.all.lock();
        *all = all.saturating_sub(bytes);
    }
}

impl Drop for OpenUpload {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        *all = all.saturating_sub(self.total_outstanding);
    }
}

impl Transfers {
    /// Compares the store's free space, as last measured, with the minimum that uploads must leave. Reads memory only.
    #[must_use]
    pub fn free_space_level(&self) -> FreeSpaceLevel {
        self.store().space().level(self.settings().min_free)
    }

    /// Describes the store's free space, as last measured. Reads memory only.
    #[must_use]
    pub fn storage_space(&self) -> StorageSpace {
        let reading = self.store().space();
        let min_free = self.settings().min_free;
        StorageSpace {
            level: reading.level(min_free),
            free_bytes: reading.space.map(|space| space.free),
            total_bytes: reading.space.map(|space| space.total),
            min_free_bytes: reading.space.map(|space| min_free.bytes_of(space)),
            reserve_bytes: reading.reserve.map(|reserve| reserve.held),
            reserve_target_bytes: reading.reserve.map(|reserve| reserve.target),
        }
    }

    /// Returns the number of uploads in progress through this process.
    #[must_use]
    pub fn open_uploads(&self) -> usize {
        self.0.open_uploads.count()
    }

    /// Starts an upload.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if the sender token has too many concurrent uploads.
    pub(super) fn begin_upload(&self, transfer: &Transfer) -> Result<OpenUpload, Error> {
        self.0.open_uploads.begin(transfer.token_id)
    }

    /// Adds expected bytes to an upload, and checks the free space for all outstanding bytes.
    ///
    /// # Errors
    /// [`Error::StorageFull`] if the free space is too small.
    pub(super) async fn expect_more_bytes(&self, open: &mut OpenUpload, bytes: u64) -> Result<(), Error> {
        open.expect(bytes);
        self.check_free_space(0).await
    }

    /// Checks the free space for `bytes` more bytes in addition to all outstanding bytes.
    ///
    /// # Errors
    /// [`Error::StorageFull`] if the free space is too small.
    pub(super) async fn check_free_space(&self, bytes: u64) -> Result<(), Error> {
        let Some(room) = self.store().free_space().await? else { return Ok(()) };
        let needed = self.0.open_uploads.total_outstanding().saturating_add(bytes);
        if self.settings().min_free.allows(room, needed) { Ok(()) } else { Err(Error::StorageFull) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_bytes_and_ended_uploads_are_not_outstanding() {
        let uploads = OpenUploads::default();
        assert_eq!(uploads.count(), 0);
        let begin = |bytes| {
            let mut open = uploads.begin(TokenId::random()).unwrap();
            open.expect(bytes);
            open
        };
        let (mut first, second) = (begin(100), begin(50));
        first.add_received(30);
        assert_eq!(uploads.count(), 2);
        assert_eq!(uploads.total_outstanding(), 120);
        first.add_received(1_000);
        assert_eq!(uploads.total_outstanding(), 50, "bytes beyond the expected ones change other uploads");
        drop((first, second));
        assert_eq!((uploads.total_outstanding(), uploads.count(), uploads.limit.len()), (0, 0, 0));
    }

    #[test]
    fn concurrent_uploads_are_limited_per_token() {
        let (uploads, token) = (OpenUploads::default(), TokenId::random());
        let mut open: Vec<_> = (0..MAX_UPLOADS_PER_TOKEN).map(|_| uploads.begin(token).unwrap()).collect();
        assert!(matches!(uploads.begin(token), Err(Error::RateLimited { .. })));
        assert!(uploads.begin(TokenId::random()).is_ok(), "the limit of one token blocks another");
        open.pop();
        assert!(uploads.begin(token).is_ok());
    }
}
