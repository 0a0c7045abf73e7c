//! Compares the index of transfers with the transfers.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Check, PAGE_SIZE};
use crate::domain::id::TransferId;
use crate::domain::maintenance::repair::Repair;
use crate::domain::store::{StorageKey, StoreError, StoreHeader, TransferIndexEntry};
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

    /// Notes that a transfer cannot be read, which is reported already.
    ///
    /// Its index entries and its payload are needed once it is restored.
    pub(super) fn unreadable_transfer(&mut self, id: TransferId) {
        self.has_unreadable_transfer = true;
        self.indexed.remove(&id);
    }

    /// Reports index entries that belong to no transfer.
    ///
    /// Reads only the transfers that remain in `indexed`: missing ones, and those whose entries did not agree.
    pub(super) async fn stray_entries(&mut self) -> Result<(), StoreError> {
        let suspects = std::mem::take(&mut self.indexed);
        if suspects.is_empty() {
            return Ok(());
        }
        for prefix in TransferIndexEntry::all() {
            let mut after = None;
            loop {
                let keys = self.store.keys(&prefix, after.as_ref(), PAGE_SIZE).await?;
                let Some(last) = keys.last().cloned() else { break };
                for key in keys {
                    let id = TransferIndexEntry::transfer_of(&key).filter(|id| suspects.contains_key(id));
                    let Some(id) = id else { continue };
                    let transfer = self.read_transfer(id).await?;
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
