//! Repairs of the index of transfers.

use super::{Repaired, Repairs};
use crate::domain::audit::with_transfer_keys;
use crate::domain::id::TransferId;
use crate::domain::maintenance::check::StoreFinding;
use crate::domain::store::{Commit, StorageKey, StoreError, TransferIndexEntry, read};
use crate::domain::transfer::Transfer;

impl Repairs<'_> {
    /// Writes the index entries of a transfer. Entries that exist are left as they are.
    pub(super) async fn index(&self, finding: &StoreFinding, id: TransferId) -> Result<Repaired, StoreError> {
        let found = read::<Transfer>(self.store, &StorageKey::transfer(id)).await?;
        let Some(transfer) = found.map(|found| found.value).filter(|transfer| !transfer.forgotten) else {
            return Ok(Repaired::Changed);
        };
        let mut records = TransferIndexEntry::records_of(&transfer);
        let keys: Vec<_> = records.iter().map(|(key, _)| key.clone()).collect();
        if self.store.get_all(&keys).await?.len() == keys.len() {
            return Ok(Repaired::Changed);
        }
        records.extend(with_transfer_keys(id, &[self.record(finding)]));
        self.store.commit(Commit { records, ..Commit::with_reserve() }).await?;
        Ok(Repaired::Done)
    }
}
