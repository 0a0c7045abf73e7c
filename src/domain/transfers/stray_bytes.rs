//! Bytes of failed upload requests for transfers that have ended meanwhile.
//!
//! A request that started before the end of its transfer can write bytes after the payload was removed. A request that
//! succeeds finds that out when it records its bytes. One that fails is kept here, until its transfer could be read, and
//! its bytes are either those of a transfer that goes on, or removed. A crash forgets it; `store check` finds the bytes.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use super::Transfers;
use crate::domain::error::{Error, chain};
use crate::domain::id::TransferId;
use crate::domain::store::{StorageKey, read};
use crate::domain::transfer::{PayloadState, Transfer};

/// Maximum number of transfers in memory.
///
/// The bytes of further ones stay until `store check` finds them.
const MAX_UNCHECKED: usize = 10_000;

/// Transfers with a failed upload request whose state was not read since.
#[derive(Debug, Default)]
pub(super) struct StrayBytes(Mutex<BTreeSet<TransferId>>);

impl StrayBytes {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<TransferId>> {
        self.0.lock().expect("the lock is never poisoned")
    }
}

impl Transfers {
    /// Removes the bytes of a failed upload request if its transfer has ended.
    ///
    /// A check that fails is repeated by [`Transfers::check_all_stray_bytes`].
    pub(super) async fn check_stray_bytes(&self, id: TransferId) {
        let is_kept = {
            let mut unchecked = self.0.stray_bytes.lock();
            if unchecked.len() < MAX_UNCHECKED {
                unchecked.insert(id);
            }
            unchecked.contains(&id)
        };
        if let Err(error) = self.remove_stray_bytes(id).await {
            tracing::warn!(%id, is_kept, error = %chain(&error), "cannot check the bytes of a failed upload, will retry");
        }
    }

    /// Checks the transfers of failed upload requests that could not be checked at once.
    pub async fn check_all_stray_bytes(&self) {
        let unchecked: Vec<_> = self.0.stray_bytes.lock().iter().copied().collect();
        for id in unchecked {
            if let Err(error) = self.remove_stray_bytes(id).await {
                tracing::debug!(%id, error = %chain(&error), "cannot check the bytes of a failed upload, will retry");
                return;
            }
        }
    }

    /// Returns whether a failed upload request of a transfer is not checked yet.
    #[cfg(test)]
    pub(crate) fn has_stray_bytes(&self, id: TransferId) -> bool {
        self.0.stray_bytes.lock().contains(&id)
    }

    async fn remove_stray_bytes(&self, id: TransferId) -> Result<(), Error> {
        let found = read::<Transfer>(self.store(), &StorageKey::transfer(id)).await?;
        if found.is_none_or(|found| found.value.payload != PayloadState::Stored) {
            self.store().remove(id).await?;
        }
        self.0.stray_bytes.lock().remove(&id);
        Ok(())
    }
}
