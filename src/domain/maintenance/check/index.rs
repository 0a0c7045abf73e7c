//! Compares the index of transfers with the transfers.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Check, PAGE_SIZE};
use crate::domain::maintenance::repair::Repair;
use crate::domain::store::{StorageKey, StoreError, StoreHeader, TransferIndexEntry, read};
use crate::domain::transfer::Transfer;

/// Sum of the hashes of the index entries of one transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EntrySum(u64);

impl EntrySum {
    fn add(&mut self, key: &StorageKey) {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        self.0 = self.0.wrapping_add(hasher.finish());
    }

    fn of(transfer: &Transfer) -> Self {
        TransferIndexEntry::keys_of(transfer).iter().fold(Self::default(), |mut sum, key| {
            sum.add(key);
            sum
        })
    }
}

impl Check<'_> {
    /// Reads all index entries, and reports invalid keys.
    ///
    /// An older store has no index before its upgrade.
    pub(super) async fn index(&mut self) -> Result<(), StoreError> {
        let header = StoreHeader::of(self.store).await;
        self.is_indexed = matches!(header, Ok(Some(header)) if header.transfers_indexed);
        for prefix in TransferIndexEntry::all() {
            let mut after = None;
            loop {
                let keys = self.store.keys(&prefix, after.as_ref(), PAGE_SIZE).await?;
                let Some(last) = keys.last().cloned() else { break };
                for key in &keys {
                    self.report.object_count += 1;
                    if let Some(id) = TransferIndexEntry::transfer_of(key) {
                        self.indexed.entry(id).or_default().add(key);
                    } else {
                        let remedy = Repair::RemoveEntry(key.clone());
                        let problem = "the key is not a valid index entry";
                        self.find_repairable("unreadable", key, problem, "remove this object", remedy);
                    }
                }
                after = Some(last);
            }
        }
        Ok(())
    }

    /// Reports a transfer without one of its index entries.
    pub(super) async fn transfer_index(&mut self, transfer: &Transfer, key: &StorageKey) -> Result<(), StoreError> {
        let id = transfer.transfer_id;
        let is_listed = transfer.forgotten || self.indexed.get(&id) == Some(&EntrySum::of(transfer));
        if !is_listed {
            self.unindexed_payloads.extend(transfer.payload_id);
        }
        if !self.is_indexed || is_listed {
            self.indexed.remove(&id);
            return Ok(());
        }
        // A transfer that was created during the check has entries that were not read.
        let keys = TransferIndexEntry::keys_of(transfer);
        if self.store.get_all(&keys).await?.len() < keys.len() {
            let advice = "no action needed: the transfer can be used by its link";
            let problem = "the transfer is missing from the lists of transfers";
            self.find_repairable("not_listed", key, problem, advice, Repair::Index(id));
        }
        Ok(())
    }

    /// Reports index entries that belong to no transfer.
    ///
    /// `indexed` has only transfers whose entries did not agree when the transfer was read.
    pub(super) async fn stray_entries(&mut self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.indexed).is_empty() {
            return Ok(());
        }
        for prefix in TransferIndexEntry::all() {
            let mut after = None;
            loop {
                let keys = self.store.keys(&prefix, after.as_ref(), PAGE_SIZE).await?;
                let Some(last) = keys.last().cloned() else { break };
                for key in keys {
                    let Some(id) = TransferIndexEntry::transfer_of(&key) else { continue };
                    let transfer = match read::<Transfer>(self.store, &StorageKey::transfer(id)).await {
                        Ok(found) => found.map(|found| found.value),
                        // Reported as unreadable. The entries are needed once it is restored from a backup.
                        Err(StoreError::Corrupt { .. }) => continue,
                        Err(error) => return Err(error),
                    };
                    if !transfer.is_some_and(|transfer| TransferIndexEntry::keys_of(&transfer).contains(&key)) {
                        let advice = "no action needed: lists leave it out";
                        let problem = "the index entry belongs to no transfer";
                        let remedy = Repair::RemoveEntry(key.clone());
                        self.find_repairable("stray_entry", &key, problem, advice, remedy);
                    }
                }
                after = Some(last);
            }
        }
        Ok(())
    }
}
