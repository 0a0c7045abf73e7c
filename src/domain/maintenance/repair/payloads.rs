//! Repairs of payloads: lost ones, and such that belong to no transfer.

use super::{Repaired, Repairs};
use crate::domain::audit::{Event, EventKind, Record, with_transfer_keys};
use crate::domain::id::{PayloadId, TransferId};
use crate::domain::maintenance::check::StoreFinding;
use crate::domain::stats::{CounterDelta, StatusMoves};
use crate::domain::store::{Change, Commit, Condition, StorageKey, StoreError, read, to_json, transfer_of_payload};
use crate::domain::transfer::{DeletionCause, PayloadState, Transfer};

impl Repairs<'_> {
    /// Deletes a transfer whose payload is lost. The sweeper releases its quota, and removes what is left of it.
    pub(super) async fn delete_lost(&self, finding: &StoreFinding, id: TransferId) -> Result<Repaired, StoreError> {
        let key = StorageKey::transfer(id);
        let Some(found) = read::<Transfer>(self.store, &key).await? else { return Ok(Repaired::Changed) };
        let mut transfer = found.value;
        if !transfer.is_downloadable() || self.has_payload(&transfer).await? {
            return Ok(Repaired::Changed);
        }
        let (now, before) = (self.now(), transfer.state.status());
        transfer.delete(now, DeletionCause::PayloadLost);
        let event = Event::server(self.ids.next(now), Some(self.run), now, EventKind::TransferDeleted);
        let moves = StatusMoves::one(Some(before), Some(transfer.state.status()));
        let commit = Commit {
            schedule: vec![StorageKey::schedule_entry(now, id)],
            // A complete payload never appears later: a transfer is completed after its payload.
            change: Some(Change { key, condition: Condition::Is(found.version), value: to_json(&transfer) }),
            records: with_transfer_keys(id, &[self.record(finding), Record::Event(event)]),
            counter_delta: Some(CounterDelta { status_moves: moves, ..CounterDelta::on(now.day()) }),
            ..Commit::with_reserve()
        };
        self.store.commit(commit).await?;
        Ok(Repaired::Done)
    }

    async fn has_payload(&self, transfer: &Transfer) -> Result<bool, StoreError> {
        let (id, size) = (transfer.payload_id(), transfer.size_bytes);
        if self.store.received(id).await? != size {
            return Ok(false);
        }
        match self.store.read(id, 0..size).await {
            Ok(_) => Ok(true),
            Err(StoreError::NoPayload) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a payload that nobody can download: without a transfer, or of one that records its removal.
    pub(super) async fn remove_payload(&self, finding: &StoreFinding, id: PayloadId) -> Result<Repaired, StoreError> {
        let listed = self.store.list_stored(id.before(), 2).await?;
        if !listed.iter().any(|payload| payload.id == id) {
            return Ok(Repaired::Changed);
        }
        let transfer = match transfer_of_payload(self.store, id).await? {
            Some(owner) => read::<Transfer>(self.store, &StorageKey::transfer(owner)).await?.map(|found| found.value),
            None => None,
        };
        let commit = match transfer.filter(|transfer| transfer.payload_id() == id) {
            None => self.service_commit(finding),
            Some(found) if found.payload == PayloadState::Removed && found.upload_urls_until.is_none() => {
                let records = with_transfer_keys(found.transfer_id, &[self.record(finding)]);
                Commit { records, ..Commit::with_reserve() }
            }
            Some(_) => return Ok(Repaired::Changed),
        };
        // The record comes first: a payload must not disappear without a trace.
        self.store.commit(commit).await?;
        self.store.remove(id).await?;
        Ok(Repaired::Done)
    }
}
