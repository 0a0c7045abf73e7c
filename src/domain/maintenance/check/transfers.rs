//! Checks of transfers, their records, schedule entries and payloads.

use futures_util::TryStreamExt;

use super::transfer_pages::{CheckedPage, ObjectContent, StoredTransfer, TransferObject, transfer_pages};
use super::{Check, StoreFinding};
use crate::domain::id::TransferId;
use crate::domain::maintenance::repair::Repair;
use crate::domain::store::{StorageKey, StoreError};
use crate::domain::transfer::{PayloadState, Transfer};

impl Check<'_> {
    pub(super) async fn transfers(&mut self) -> Result<(), StoreError> {
        let mut pages = Box::pin(transfer_pages(self.store));
        let mut current = None;
        while let Some(CheckedPage { objects, mut transfers }) = pages.try_next().await? {
            for TransferObject { key, content } in objects {
                let Some(id) = key.transfer_id() else {
                    self.find("wrong_id", &key, "the key contains no valid transfer id", "remove this object");
                    continue;
                };
                if current != Some(id) {
                    current = Some(id);
                    self.transfer(id, transfers.remove(&id)).await?;
                }
                self.object(&key, id, content);
            }
        }
        Ok(())
    }

    /// Checks a record or grant of a transfer.
    fn object(&mut self, key: &StorageKey, id: TransferId, content: ObjectContent) {
        let named = match content {
            ObjectContent::Other => return,
            ObjectContent::Grant(named) => named,
            ObjectContent::Record(named) => {
                // Reported once per transfer.
                if key.read_record().is_some() && self.scheduled_reads.insert(id) {
                    let advice = "no action needed: they are removed with the transfer";
                    let problem = "records of reads are missing from the schedule";
                    self.find_repairable("not_due", key, problem, advice, Repair::ScheduleReads(id));
                }
                named
            }
        };
        if let Some(name) = self.parsed(key, named, None) {
            self.name_is(key, &name);
        }
    }

    async fn transfer(&mut self, id: TransferId, found: Option<StoredTransfer>) -> Result<(), StoreError> {
        let key = StorageKey::transfer(id);
        let Some(found) = found else {
            let (problem, advice) = ("the transfer is missing, but has other records", "remove its remaining records");
            self.find_repairable("no_transfer", &key, problem, advice, Repair::RemoveOrphans(id));
            return Ok(());
        };
        let Some(transfer) = self.parse::<Transfer>(&key, &found.value) else {
            self.unreadable_transfer(id);
            return Ok(());
        };
        if transfer.transfer_id != id {
            let advice = "restore this object from a backup: its content belongs to another object";
            self.find("wrong_id", &key, format!("the id inside the object is {}", transfer.transfer_id), advice);
            self.unreadable_transfer(id);
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
        self.payload(&transfer, &key, found.payload_problem);
        Ok(())
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

    fn payload(&mut self, transfer: &Transfer, key: &StorageKey, problem: Option<String>) {
        if !transfer.is_downloadable() {
            return;
        }
        self.downloadable += 1;
        let Some(problem) = problem else { return };
        self.lost += 1;
        let advice = "delete the transfer and upload it again, or restore the payload from a backup";
        self.find_repairable("payload", key, problem, advice, Repair::DeleteLost(transfer.transfer_id));
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
