//! Checks of transfers, their records, schedule entries and payloads.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{CONCURRENCY, Check, PAGE_SIZE, StoreFinding};
use crate::domain::audit::Record;
use crate::domain::id::TransferId;
use crate::domain::maintenance::repair::Repair;
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
                            let problem = "records of reads are missing from the schedule";
                            self.find_repairable("not_due", &key, problem, advice, Repair::ScheduleReads(id));
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
            let (problem, advice) = ("the transfer is missing, but has other records", "remove its remaining records");
            self.find_repairable("no_transfer", &key, problem, advice, Repair::RemoveOrphans(id));
            return Ok(());
        };
        let Some(transfer) = self.parse::<Transfer>(&key, &found.value) else {
            self.has_unreadable_transfer = true;
            return Ok(());
        };
        if transfer.transfer_id != id {
            let advice = "restore this object from a backup: its content belongs to another object";
            self.find("wrong_id", &key, format!("the id inside the object is {}", transfer.transfer_id), advice);
            self.has_unreadable_transfer = true;
            return Ok(());
        }
        self.count(&transfer);
        for token in transfer.charged_tokens() {
            match self.tokens.get_mut(&token) {
                Some(account) => {
                    account.transfers += 1;
                    account.actual += if transfer.holds_quota { transfer.size_bytes } else { 0 };
                }
                None => self.find("no_token", &key, "its token is missing", "restore the token from a backup"),
            }
        }
        if !self.scheduled.contains(&id) {
            let advice = "run `sgsend delete` when the transfer is no longer needed: it is never deleted by a sweep";
            let problem = "the transfer is missing from the schedule";
            self.find_repairable("not_due", &key, problem, advice, Repair::Schedule(id));
        }
        self.transfer_index(&transfer, &key).await?;
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
        let (id, size) = (transfer.payload_id(), transfer.size_bytes);
        self.downloadable += 1;
        let received = self.store.received(id).await?;
        let advice = "delete the transfer and upload it again, or restore the payload from a backup";
        let problem = if received != size {
            format!("its payload has {received} bytes, not {size}")
        } else if let Err(StoreError::NoPayload) = self.store.read(id, 0..size).await.map(drop) {
            "its payload is not finished".to_owned()
        } else {
            return Ok(());
        };
        self.lost += 1;
        self.find_repairable("payload", key, problem, advice, Repair::DeleteLost(transfer.transfer_id));
        Ok(())
    }

    /// Rules out the repair of lost payloads if no transfer has its payload: a disk may not be mounted.
    pub(super) fn keep_transfers_without_any_payload(&mut self) {
        if self.lost < 2 || self.lost < self.downloadable {
            return;
        }
        let is_lost = |finding: &&mut StoreFinding| matches!(finding.remedy, Some(Repair::DeleteLost(_)));
        for finding in self.report.findings.iter_mut().filter(is_lost) {
            finding.remedy = None;
            finding.advice = "no transfer has its payload: check that the folder of the payloads is mounted and readable; \
                              if all are lost, delete the transfers as an admin";
        }
    }
}
