//! Uploads in progress in this process: number per sender token, and total of outstanding bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::Transfers;
use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::transfer::Transfer;

/// Maximum number of concurrent uploads per sender token: half of a store's limit, so that no sender uses all of it.
const PER_TOKEN: u32 = 32;
/// Retry delay for a sender over the limit.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Counters of all uploads in progress.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenUploads(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    by_token: HashMap<TokenId, u32>,
    outstanding: u64,
}

/// Upload in progress; dropping it ends its part of the counters.
pub(super) struct OpenUpload {
    all: OpenUploads,
    token: TokenId,
    outstanding: u64,
    received_any: bool,
}

impl OpenUploads {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().expect("the lock is never poisoned")
    }

    /// Returns the number of expected bytes not yet received, over all uploads.
    fn outstanding(&self) -> u64 {
        self.lock().outstanding
    }

    fn begin(&self, token: TokenId) -> Result<OpenUpload, Error> {
        let mut open = self.lock();
        let of_token = open.by_token.entry(token).or_default();
        if *of_token >= PER_TOKEN {
            return Err(Error::RateLimited { retry_after: RETRY_AFTER });
        }
        *of_token += 1;
        Ok(OpenUpload { all: self.clone(), token, outstanding: 0, received_any: false })
    }
}

impl OpenUpload {
    /// Adds `bytes` expected bytes.
    fn expect(&mut self, bytes: u64) {
        self.outstanding = self.outstanding.saturating_add(bytes);
        let mut open = self.all.lock();
        open.outstanding = open.outstanding.saturating_add(bytes);
    }

    /// Returns whether at least one byte has arrived.
    pub(super) fn has_received_any(&self) -> bool {
        self.received_any
    }

    /// Subtracts received bytes from the expected bytes.
    pub(super) fn add_received(&mut self, bytes: u64) {
        self.received_any |= bytes > 0;
        let bytes = bytes.min(self.outstanding);
        self.outstanding -= bytes;
        let mut open = self.all.lock();
        open.outstanding = open.outstanding.saturating_sub(bytes);
    }
}

impl Drop for OpenUpload {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        open.outstanding = open.outstanding.saturating_sub(self.outstanding);
        if let Some(of_token) = open.by_token.get_mut(&self.token) {
            *of_token -= 1;
            if *of_token == 0 {
                open.by_token.remove(&self.token);
            }
        }
    }
}

impl Transfers {
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
    pub(super) async fn expect_bytes(&self, open: &mut OpenUpload, bytes: u64) -> Result<(), Error> {
        open.expect(bytes);
        self.check_free_space(0).await
    }

    /// Checks the free space for `bytes` more bytes in addition to all outstanding bytes.
    ///
    /// # Errors
    /// [`Error::StorageFull`] if the free space is too small.
    pub(super) async fn check_free_space(&self, bytes: u64) -> Result<(), Error> {
        let Some(room) = self.store().room().await? else { return Ok(()) };
        let needed = self.0.open_uploads.outstanding().saturating_add(bytes);
        if self.rules().min_free.allows(room, needed) { Ok(()) } else { Err(Error::StorageFull) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_bytes_and_ended_uploads_are_not_outstanding() {
        let uploads = OpenUploads::default();
        let begin = |bytes| {
            let mut open = uploads.begin(TokenId::random()).unwrap();
            open.expect(bytes);
            open
        };
        let (mut first, second) = (begin(100), begin(50));
        first.add_received(30);
        assert_eq!(uploads.outstanding(), 120);
        first.add_received(1_000);
        assert_eq!(uploads.outstanding(), 50, "bytes beyond the expected ones change other uploads");
        drop((first, second));
        assert_eq!((uploads.outstanding(), uploads.lock().by_token.len()), (0, 0));
    }

    #[test]
    fn concurrent_uploads_are_limited_per_token() {
        let (uploads, token) = (OpenUploads::default(), TokenId::random());
        let mut open: Vec<_> = (0..PER_TOKEN).map(|_| uploads.begin(token).unwrap()).collect();
        assert!(matches!(uploads.begin(token), Err(Error::RateLimited { .. })));
        assert!(uploads.begin(TokenId::random()).is_ok(), "the limit of one token blocks another");
        open.pop();
        assert!(uploads.begin(token).is_ok());
    }
}
