//! Invariants at rest: after all requests have ended, and after the end of all transfers.

use std::time::Duration;

use super::server::{RETAIN_READS, SimulatedServer};
use super::store::at_once;
use super::world::{MAX_SKEW, World, WorldState};
use crate::domain::id::TransferId;
use crate::domain::maintenance::check::check;
use crate::domain::store::{MemoryStore, Payloads, Records, StorageKey};
use crate::domain::transfer::{PayloadState, State as TransferState, Status};

impl WorldState {
    /// Acknowledges a deletion, whose payload must be gone.
    pub(super) fn acknowledge_deletion(&mut self, memory: &MemoryStore, id: TransferId) {
        let Some(model) = self.model.transfers.get_mut(&id) else { return };
        let received = at_once(memory.received(model.last.payload_id())).unwrap_or(0);
        model.deletion_acknowledged = true;
        let is_deleted = model.last.state.status() == Status::Deleted && model.last.payload == PayloadState::Removed;
        let may_return = model.payload_may_return();
        self.check(is_deleted, || format!("the acknowledged deletion of {id} is not stored"));
        self.check(received == 0 || may_return, || format!("{received} bytes of the deleted {id} remain"));
    }

    /// Checks that each request has its records, unless its server crashed before it wrote them.
    pub(super) fn check_audit(&mut self) {
        for ended in std::mem::take(&mut self.model.ended) {
            let records = self.model.records.get(&ended.id).copied().unwrap_or_default();
            let is_recorded = if ended.succeeded {
                records.requests == 1 && records.done == 1 && records.other_actions == 0
            } else {
                // If a write lost its answer, its records tell of a success before those of the failure.
                let is_consistent = records.successes == 0 || ended.may_differ;
                records.requests > 0 && records.done + records.other_actions > 0 && is_consistent
            };
            let crashed = self.generations[ended.server] != ended.generation;
            self.check(is_recorded || crashed, || format!("{ended:?} has the records {records:?}"));
        }
    }
}

impl World {
    /// Checks the store after a sweep, without requests in progress.
    pub(super) async fn check_at_rest(&self, server: &SimulatedServer) {
        let report = check(&self.memory).await.expect("a store in memory");
        for finding in report.findings {
            self.state().violate(|| format!("the integrity check finds {finding:?}"));
        }
        let overview = server.transfers.overview(&server.tokens).await;
        let state = self.state();
        let (now, totals) = (state.now, state.model.totals);
        drop(state);
        match overview {
            Ok(overview) => {
                let created: u64 = overview.days.iter().map(|day| day.created).sum();
                let completed: u64 = overview.days.iter().map(|day| day.completed).sum();
                let bytes: u64 = overview.days.iter().map(|day| day.bytes).sum();
                let counted = (created, completed, bytes, overview.downloads);
                let expected = (totals.created, totals.completed, totals.bytes, totals.downloads);
                self.state().check(counted == expected, || format!("the counters are {counted:?}, not {expected:?}"));
            }
            Err(error) => self.state().violate(|| format!("no counters without faults: {error:?}")),
        }
        let ids: Vec<_> = self.state().model.transfers.keys().copied().collect();
        for id in ids {
            let mut state = self.state();
            let Some(model) = state.model.transfers.get(&id) else { continue };
            let received = at_once(self.memory.received(model.last.payload_id())).unwrap_or(0);
            let is_due = match model.last.deadline() {
                Some(deadline) => deadline <= now,
                None => state.links_needed_until(&model.last, now).is_none(),
            };
            let grants_end = model.last.own_link.last_grant_expires_at();
            let has_ended = match model.last.state {
                TransferState::Pending | TransferState::Completed { .. } => is_due,
                TransferState::Exhausted { .. } => grants_end.is_none_or(|end| end <= now),
                TransferState::Expired { .. } | TransferState::Deleted { .. } => true,
            };
            let is_removed = model.last.payload == PayloadState::Removed;
            let may_return = model.payload_may_return();
            let counted = model.last.own_link.downloads;
            let (grants, limited) = (
                model.grants,
                model.last.own_link.max_downloads.is_some() || !model.last.own_link.limit_history.is_empty(),
            );
            state
                .check(!has_ended || is_removed, || format!("{id} has ended, but a sweep has not removed its payload"));
            state.check(!is_removed || received == 0 || may_return, || format!("{received} bytes of {id} remain"));
            state.check(limited || counted <= grants, || format!("{id} counts {counted} downloads of {grants}"));
        }
    }

    /// Checks that no record of a read is left a day after its retention.
    pub(super) async fn check_no_old_reads(&self) {
        let keys = self.memory.keys(&StorageKey::all_transfers(), None, 100_000).await.unwrap_or_default();
        let end = self.state().now.minus(RETAIN_READS + Duration::from_hours(24) + MAX_SKEW * 2);
        let old = keys.iter().find(|key| key.read_record().is_some_and(|(_, at)| at < end));
        self.state().check(old.is_none(), || format!("{old:?} is kept longer than its retention"));
    }

    /// Checks that nothing is left of transfers after their retention.
    pub(super) async fn check_after_the_end(&self) {
        let prefixes = [StorageKey::all_transfers(), StorageKey::all_links(), StorageKey::all_schedule_entries()];
        for prefix in prefixes {
            let left = self.memory.keys(&prefix, None, 10).await.unwrap_or_default();
            self.state().check(left.is_empty(), || format!("after the end of all transfers, {left:?} remain"));
        }
        let payloads = self.memory.list_stored(None, 10).await.unwrap_or_default();
        self.state().check(payloads.is_empty(), || format!("payloads without owners: {payloads:?}"));
        let report = check(&self.memory).await.expect("a store in memory");
        for finding in report.findings {
            self.state().violate(|| format!("after the end of all transfers: {finding:?}"));
        }
    }
}
