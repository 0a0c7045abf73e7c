//! Repairs of schedule entries and of records without a transfer.

use std::collections::BTreeSet;

use super::{Repaired, Repairs};
use crate::domain::audit::{RecordClass, RecordKind, removal_entry, with_service_keys, with_transfer_keys};
use crate::domain::id::TransferId;
use crate::domain::maintenance::check::StoreFinding;
use crate::domain::store::{Commit, ScheduleEntry, StorageKey, StoreError, TransferIndexEntry, read};
use crate::domain::transfer::Transfer;

/// Number of keys per list request, and of removals per commit.
const PAGE_SIZE: usize = 500;

impl Repairs<'_> {
    /// Creates a commit with the audit record of a repair that concerns no existing transfer.
    pub(super) fn service_commit(&self, finding: &StoreFinding) -> Commit {
        let records = with_service_keys(RecordClass::Change, &[self.record(finding)]);
        Commit { records, ..Commit::with_reserve() }
    }

    pub(super) async fn remove_entry(&self, finding: &StoreFinding, key: &StorageKey) -> Result<Repaired, StoreError> {
        if ScheduleEntry::from_key(key).is_some() || self.store.get(key).await?.is_none() {
            return Ok(Repaired::Changed);
        }
        if let Some(id) = TransferIndexEntry::transfer_of(key) {
            let found = read::<Transfer>(self.store, &StorageKey::transfer(id)).await?;
            if found.is_some_and(|found| TransferIndexEntry::keys_of(&found.value).contains(key)) {
                return Ok(Repaired::Changed);
            }
        }
        self.store.commit(Commit { removals: vec![key.clone()], ..self.service_commit(finding) }).await?;
        Ok(Repaired::Done)
    }

    /// Removes the records of a transfer whose state is missing. A state never follows its records, and ids are random.
    pub(super) async fn remove_orphans(&self, finding: &StoreFinding, id: TransferId) -> Result<Repaired, StoreError> {
        let (prefix, mut commit) = (StorageKey::all_of_transfer(id), Some(self.service_commit(finding)));
        let mut after = None;
        loop {
            if self.store.get(&StorageKey::transfer(id)).await?.is_some() {
                return Ok(Repaired::Changed);
            }
            let keys = self.store.keys(&prefix, after.as_ref(), PAGE_SIZE).await?;
            let Some(last) = keys.last().cloned() else {
                return Ok(if commit.is_none() { Repaired::Done } else { Repaired::Changed });
            };
            // A payload has a finding of its own.
            let removals: Vec<_> = keys.into_iter().filter(|key| !key.belongs_to_payload()).collect();
            if !removals.is_empty() {
                let commit = commit.take().unwrap_or_else(Commit::with_reserve);
                self.store.commit(Commit { removals, ..commit }).await?;
            }
            after = Some(last);
        }
    }

    pub(super) async fn schedule(&self, finding: &StoreFinding, id: TransferId) -> Result<Repaired, StoreError> {
        let Some(transfer) = read::<Transfer>(self.store, &StorageKey::transfer(id)).await? else {
            return Ok(Repaired::Changed);
        };
        let now = self.now();
        let next = transfer.value.next_sweep_at(now, self.header.retention().changes());
        if self.store.get(&StorageKey::schedule_entry(next, id)).await?.is_some() {
            // It was created during the check.
            return Ok(Repaired::Changed);
        }
        // A superfluous entry, of a transfer that another server schedules at this moment, is dropped by the sweep.
        let at = next.max(now);
        let schedule = vec![StorageKey::schedule_entry(at, id)];
        let records = with_transfer_keys(id, &[self.record(finding)]);
        self.store.commit(Commit { schedule, records, ..Commit::with_reserve() }).await?;
        Ok(Repaired::Done)
    }

    pub(super) async fn schedule_reads(&self, finding: &StoreFinding, id: TransferId) -> Result<Repaired, StoreError> {
        if self.store.get(&StorageKey::transfer(id)).await?.is_none() {
            return Ok(Repaired::Changed);
        }
        let (mut entries, retain) = (BTreeSet::new(), self.header.retention().reads());
        for kind in RecordKind::ALL {
            let (prefix, mut after) = (StorageKey::transfer_records(id, RecordClass::Read, kind), None);
            loop {
                let keys = self.store.keys(&prefix, after.as_ref(), PAGE_SIZE).await?;
                let Some(last) = keys.last() else { break };
                after = Some(last.clone());
                let read_at = keys.iter().filter_map(StorageKey::read_record);
                entries.extend(read_at.map(|(id, at)| removal_entry(id, at, retain)));
            }
        }
        if entries.is_empty() {
            return Ok(Repaired::Changed);
        }
        let records = with_transfer_keys(id, &[self.record(finding)]);
        let schedule = entries.into_iter().collect();
        self.store.commit(Commit { schedule, records, ..Commit::with_reserve() }).await?;
        Ok(Repaired::Done)
    }
}
