//! Payloads that are arriving in this process: how many of one sender, and how much of them is still to come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::Transfers;
use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::transfer::Transfer;

/// Payloads that one sender token may send at once: half of those that any store takes, so that nobody takes all.
const PER_TOKEN: u32 = 32;
/// When another try makes sense for who sends too many.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What is arriving.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenUploads(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    by_token: HashMap<TokenId, u32>,
    to_come: u64,
}

/// One payload that is arriving, until this is dropped.
pub(super) struct OpenUpload {
    all: OpenUploads,
    token: TokenId,
    to_come: u64,
    any: bool,
}

impl OpenUploads {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }

    /// Bytes that are still to come.
    fn to_come(&self) -> u64 {
        self.lock().to_come
    }

    fn begin(&self, token: TokenId) -> Result<OpenUpload, Error> {
        let mut open = self.lock();
        let of_token = open.by_token.entry(token).or_default();
        if *of_token >= PER_TOKEN {
            return Err(Error::RateLimited { retry_after: TRY_AGAIN });
        }
        *of_token += 1;
        Ok(OpenUpload { all: self.clone(), token, to_come: 0, any: false })
    }
}

impl OpenUpload {
    /// Notes that so many bytes are to come.
    fn expect(&mut self, bytes: u64) {
        self.to_come = self.to_come.saturating_add(bytes);
        let mut open = self.all.lock();
        open.to_come = open.to_come.saturating_add(bytes);
    }

    /// Whether a byte has arrived.
    pub(super) fn has_brought_any(&self) -> bool {
        self.any
    }

    /// Notes that bytes have arrived.
    pub(super) fn arrived(&mut self, bytes: u64) {
        self.any |= bytes > 0;
        let bytes = bytes.min(self.to_come);
        self.to_come -= bytes;
        let mut open = self.all.lock();
        open.to_come = open.to_come.saturating_sub(bytes);
    }
}

impl Drop for OpenUpload {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        open.to_come = open.to_come.saturating_sub(self.to_come);
        if let Some(of_token) = open.by_token.get_mut(&self.token) {
            *of_token -= 1;
            if *of_token == 0 {
                open.by_token.remove(&self.token);
            }
        }
    }
}

impl Transfers {
    /// Lets a payload arrive, if its sender sends few enough others.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub(super) fn begin_upload(&self, transfer: &Transfer) -> Result<OpenUpload, Error> {
        self.0.open_uploads.begin(transfer.token_id)
    }

    /// Lets so many bytes come, if there is room for all that is to come.
    ///
    /// # Errors
    /// [`Error::StorageFull`].
    pub(super) async fn expect_bytes(&self, open: &mut OpenUpload, bytes: u64) -> Result<(), Error> {
        open.expect(bytes);
        self.check_room(0).await
    }

    /// Refuses what would leave too little room free, with `bytes` more than what is arriving already.
    ///
    /// # Errors
    /// [`Error::StorageFull`].
    pub(super) async fn check_room(&self, bytes: u64) -> Result<(), Error> {
        let Some(room) = self.store().room().await? else { return Ok(()) };
        let to_come = self.0.open_uploads.to_come().saturating_add(bytes);
        if self.rules().min_free.leaves(room, to_come) { Ok(()) } else { Err(Error::StorageFull) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_arrived_or_ended_is_no_longer_to_come() {
        let uploads = OpenUploads::default();
        let begin = |bytes| {
            let mut open = uploads.begin(TokenId::random()).unwrap();
            open.expect(bytes);
            open
        };
        let (mut first, second) = (begin(100), begin(50));
        first.arrived(30);
        assert_eq!(uploads.to_come(), 120);
        first.arrived(1_000);
        assert_eq!(uploads.to_come(), 50, "more came than was declared");
        drop((first, second));
        assert_eq!((uploads.to_come(), uploads.lock().by_token.len()), (0, 0));
    }

    #[test]
    fn a_token_sends_so_many_at_once_and_no_more() {
        let (uploads, token) = (OpenUploads::default(), TokenId::random());
        let mut open: Vec<_> = (0..PER_TOKEN).map(|_| uploads.begin(token).unwrap()).collect();
        assert!(matches!(uploads.begin(token), Err(Error::RateLimited { .. })));
        assert!(uploads.begin(TokenId::random()).is_ok(), "one sender holds up another");
        open.pop();
        assert!(uploads.begin(token).is_ok());
    }
}
