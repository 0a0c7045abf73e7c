//! Checks of transfers, their records, schedule entries and payloads.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{CONCURRENCY, Check, PAGE_SIZE};
use crate::domain::audit::Record;
use crate::domain::id::TransferId;
use crate::domain::store::{StorageKey, StoreError};
use crate::domain::transfer::{GrantRecord, PayloadState, Transfer};

impl Check<'_> {
    pub(super) async fn transfers(&mut self) -> Result<(), StoreError> {
        let (all, mut after, mut current) = (StorageKey::all_transfers(), None, None);
        loop {
            let keys = self.store.keys(&all, after.as_ref(), PAGE_SIZE).await?;
            after = match keys.last() {
                Some(last) => Some(last.clone()),
                None => return Ok(()),
            };
            for (key, value) in self.records(keys).await? {
                let Some(id) = key.transfer_id() else {
                    self.find("wrong_id", &key, "the key contains no valid transfer id", "remove this object");
                    continue;
                };
                if current != Some(id) {
                    current = Some(id);
                    self.transfer(id).await?;
                }
                match key.as_str().split('/').nth(2) {
                    Some("requests" | "actions" | "events" | "reads") => {
                        // Reported once per transfer.
                        if key.read_record().is_some() && self.scheduled_reads.insert(id) {
                            let advice = "no action needed: they are removed with the transfer";
                            self.find("not_due", &key, "records of reads are missing from the schedule", advice);
                        }
                        if let Some(record) = self.parse::<Record>(&key, &value) {
                            self.name_is(&key, &record.id().to_string());
                        }
                    }
                    Some("grants") => {
                        if let Some(grant) = self.parse::<GrantRecord>(&key, &value) {
                            self.name_is(&key, &grant.sha256.to_string());
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Reads the records at `keys`; skips payloads, which may be large objects in the same bucket.
    async fn records(&self, keys: Vec<StorageKey>) -> Result<Vec<(StorageKey, Bytes)>, StoreError> {
        let read = async |key: StorageKey| {
            let found = self.store.get(&key).await?;
            Ok::<_, StoreError>(found.map(|found| (key, found.value)))
        };
        let records = keys.into_iter().filter(|key| !key.belongs_to_payload());
        let found = stream::iter(records).map(read).buffered(CONCURRENCY);
        Box::pin(found.try_filter_map(async |found| Ok(found)).try_collect()).await
    }

    async fn transfer(&mut self, id: TransferId) -> Result<(), StoreError> {
        let key = StorageKey::transfer(id);
        let Some(found) = self.store.get(&key).await? else {
            self.find(
                "no_transfer",
                &key,
                "the transfer is missing, but has other records",
                "remove its remaining records",
            );
            return Ok(());
        };
        let Some(transfer) = self.parse::<Transfer>(&key, &found.value) else { return Ok(()) };
        if transfer.transfer_id != id {
            let advice = "restore this object from a backup: its content belongs to another object";
            self.find("wrong_id", &key, format!("the id inside the object is {}", transfer.transfer_id), advice);
            return Ok(());
        }
        self.count(&transfer);
        match self.tokens.get_mut(&transfer.token_id) {
            Some(account) if transfer.holds_quota => account.actual += transfer.size_bytes,
            Some(_) => {}
            None => self.find("no_token", &key, "its token is missing", "restore the token from a backup"),
        }
        if !self.scheduled.contains(&id) {
            let advice = "run `sgsend delete` when the transfer is no longer needed: it is never deleted by a sweep";
            self.find("not_due", &key, "the transfer is missing from the schedule", advice);
        }
        self.payload(&transfer, &key).await
    }

    /// Adds a transfer to the expected counters.
    fn count(&mut self, transfer: &Transfer) {
        if transfer.forgotten {
            return;
        }
        *self.sums.of(transfer.state.status()) += 1;
        if transfer.state.completed_at().is_some() && transfer.payload != PayloadState::Removed {
            self.bytes_stored += i64::try_from(transfer.size_bytes).unwrap_or(i64::MAX);
        }
    }

    async fn payload(&mut self, transfer: &Transfer, key: &StorageKey) -> Result<(), StoreError> {
        if !transfer.is_downloadable() {
            return Ok(());
        }
        let (id, size) = (transfer.transfer_id, transfer.size_bytes);
        let received = self.store.received(id).await?;
        let advice = "delete the transfer and upload it again, or restore the payload from a backup";
        if received != size {
            self.find("payload", key, format!("its payload has {received} bytes, not {size}"), advice);
        } else if let Err(StoreError::NoPayload) = self.store.read(id, 0..size).await.map(drop) {
            self.find("payload", key, "its payload is not finished", advice);
        }
        Ok(())
    }
}
