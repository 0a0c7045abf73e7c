//! Dispatcher: moves new notifications to the queues of their targets, and keeps the queues bounded.
//!
//! One server at a time does this, under a lease. A crash between the entries of the targets and the removal of the new
//! entry repeats the distribution, and with it perhaps a delivery, under the same id.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::outbox::{DispatchResult, PAGE_SIZE};
use super::target_state::{DispatcherState, LEASE_USE, QueueLease, TargetState};
use super::{DELIVERY_PERIOD, MAX_QUEUED, NotificationTarget, Outbox, TargetScope};
use crate::domain::error::Error;
use crate::domain::id::{TargetId, TokenId};
use crate::domain::store::{
    Commit, OutboxEntry, OutboxQueue, Prefix, StorageKey, StoreError, Swap, create, from_json, read, swap,
};
use crate::domain::token::Token;
use crate::domain::transfer::{FurtherLink, LinkRecord, Transfer};
use crate::domain::version::V1;

/// Period after which an entry without its notification is dropped: its commit has failed.
///
/// Longer than the retries of a commit (10 s), the delay of a bucket's outbox, and differences between clocks.
const COMMIT_PERIOD: Duration = Duration::from_mins(2);
/// Interval at which the state of a target is confirmed by its notifications.
const CONFIRM_INTERVAL: Duration = Duration::from_hours(1);

/// One round of distribution: what was read before.
#[derive(Default)]
struct Round {
    /// Transfers with a notification that is still being written, so that later ones wait too.
    held: HashSet<crate::domain::id::TransferId>,
    /// Targets of the tokens that were read.
    tokens: BTreeMap<TokenId, Vec<NotificationTarget>>,
    /// Targets of all transfers.
    service_targets: Vec<TargetId>,
    result: DispatchResult,
}

impl Outbox {
    /// Distributes new notifications to the queues of their targets, unless another server does.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn dispatch(&self) -> Result<DispatchResult, Error> {
        let queue = StorageKey::outbox(OutboxQueue::New);
        if self.store().keys(&queue, None, 1).await?.is_empty() || !self.lead().await? {
            return Ok(DispatchResult::default());
        }
        let distributed = self.distribute_all(&queue).await;
        self.follow().await?;
        distributed
    }

    /// Distributes all new notifications, within the lease.
    async fn distribute_all(&self, queue: &Prefix) -> Result<DispatchResult, Error> {
        let started = self.now();
        let mut round = Round { service_targets: self.service_targets().await?, ..Round::default() };
        let mut after = None;
        while self.now().since(started) < LEASE_USE {
            let page = self.store().keys(queue, after.as_ref(), PAGE_SIZE).await?;
            let Some(last) = page.last().cloned() else { break };
            self.distribute(&page, &mut round).await?;
            after = Some(last);
        }
        Ok(round.result)
    }

    /// Takes the lease of the dispatcher; `false` if another server has it.
    async fn lead(&self) -> Result<bool, Error> {
        let (key, now) = (StorageKey::dispatcher(), self.now());
        let new = DispatcherState { v: V1, lease: None };
        match create(self.store(), key, &new, Commit::with_reserve()).await {
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        self.change_lease(|lease| QueueLease::take(lease, &self.0.holder, now)).await
    }

    /// Gives the lease of the dispatcher back.
    async fn follow(&self) -> Result<(), Error> {
        self.change_lease(|lease| {
            QueueLease::release(lease, &self.0.holder);
            true
        })
        .await
        .map(drop)
    }

    async fn change_lease(
        &self,
        mut change: impl FnMut(&mut Option<QueueLease>) -> bool + Send,
    ) -> Result<bool, Error> {
        let (missing, key) = (|| StoreError::Conflict, StorageKey::dispatcher());
        let changed = swap(self.store(), &key, missing, |mut state: DispatcherState| {
            let writes = change(&mut state.lease);
            Ok::<_, StoreError>(if writes {
                Swap::write(state, Commit::with_reserve(), true)
            } else {
                Swap::Keep(false)
            })
        });
        Ok(changed.await?)
    }

    /// Returns the targets of all transfers that a server has in its settings.
    async fn service_targets(&self) -> Result<Vec<TargetId>, Error> {
        let mut found = Vec::new();
        for state in self.states().await? {
            if state.scope == TargetScope::Service && self.is_current(&state).await? {
                found.push(state.target.target_id);
            }
        }
        Ok(found)
    }

    /// Reads the states of all targets.
    pub(super) async fn states(&self) -> Result<Vec<TargetState>, Error> {
        let (prefix, dispatcher) = (StorageKey::all_targets(), StorageKey::dispatcher());
        let (mut states, mut after) = (Vec::new(), None);
        loop {
            let page = self.store().list(&prefix, after.as_ref(), PAGE_SIZE).await?;
            for (key, value) in page.items.iter().filter(|(key, _)| *key != dispatcher) {
                states.push(from_json::<TargetState>(key.as_str(), value)?);
            }
            after = page.next;
            if after.is_none() {
                return Ok(states);
            }
        }
    }

    async fn distribute(&self, page: &[StorageKey], round: &mut Round) -> Result<(), Error> {
        let (mut schedule, mut removals) = (Vec::new(), Vec::new());
        let entries: Vec<_> = page.iter().map(|key| (key, OutboxEntry::from_key(key))).collect();
        let logged = entries.iter().filter_map(|(_, entry)| *entry);
        let logged: Vec<_> = logged.map(|entry| StorageKey::notification(entry.token_id, entry.id)).collect();
        let found = self.store().get_all(&logged).await?;
        let found: HashSet<_> = found.into_iter().map(|(key, _)| key).collect();
        for (key, entry) in entries {
            let Some(entry) = entry else {
                removals.push(key.clone());
                continue;
            };
            if round.held.contains(&entry.transfer_id) {
                round.result.held += 1;
                continue;
            }
            let age = self.now().since(entry.id.at());
            let is_logged = found.contains(&StorageKey::notification(entry.token_id, entry.id))
                || (age < DELIVERY_PERIOD && self.is_logged_late(&entry).await?);
            if !is_logged && age < COMMIT_PERIOD {
                round.held.insert(entry.transfer_id);
                round.result.held += 1;
                continue;
            }
            removals.push(key.clone());
            if !is_logged || age >= DELIVERY_PERIOD {
                round.result.dropped += 1;
                continue;
            }
            round.result.distributed += 1;
            let targets = self.targets_of(entry.token_id, round).await?;
            schedule.extend(targets.into_iter().map(|id| entry.in_queue(OutboxQueue::Target(id)).key()));
        }
        if !removals.is_empty() {
            self.store().commit(Commit { schedule, removals, ..Commit::with_reserve() }).await?;
        }
        Ok(())
    }

    /// Returns whether a notification is in the log, after completing an interrupted commit.
    async fn is_logged_late(&self, entry: &OutboxEntry) -> Result<bool, Error> {
        // A bucket stores the records of an object's latest commit when the object is read.
        let id = entry.transfer_id;
        let transfer = read::<Transfer>(self.store(), &StorageKey::transfer(id)).await?.map(|found| found.value);
        if let Some(transfer) = &transfer {
            self.read_named_grants(StorageKey::grants(id), entry, &transfer.own_link).await?;
        }
        for id in transfer.into_iter().flat_map(|transfer| transfer.links) {
            if let Some(found) = read::<FurtherLink>(self.store(), &StorageKey::link(id)).await? {
                self.read_named_grants(StorageKey::link_grants(id), entry, &found.value.link).await?;
            }
        }
        Ok(self.store().get(&StorageKey::notification(entry.token_id, entry.id)).await?.is_some())
    }

    /// Reads the objects of a link's grants that the id of a notification names.
    async fn read_named_grants(&self, of: Prefix, entry: &OutboxEntry, link: &LinkRecord) -> Result<(), Error> {
        if !link.has_grant_objects() {
            return Ok(());
        }
        for grant in self.store().keys(&of.with_start(&entry.id.named_digits()), None, PAGE_SIZE).await? {
            self.store().get(&grant).await?;
        }
        Ok(())
    }

    async fn targets_of(&self, token_id: TokenId, round: &mut Round) -> Result<Vec<TargetId>, Error> {
        if let Entry::Vacant(unknown) = round.tokens.entry(token_id) {
            let token = read::<Token>(self.store(), &StorageKey::token(token_id)).await?;
            let targets: Vec<_> =
                token.map(|token| token.value.notifications.all().cloned().collect()).unwrap_or_default();
            for target in &targets {
                self.confirm(target, TargetScope::Token(token_id), CONFIRM_INTERVAL).await?;
            }
            unknown.insert(targets);
        }
        let of_token = round.tokens[&token_id].iter().map(|target| target.target_id);
        Ok(of_token.chain(round.service_targets.iter().copied()).collect())
    }

    /// Bounds the queues, and removes targets that are not set any more. Every server does this once a minute.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn maintain(&self) -> Result<(), Error> {
        self.register_service_targets().await?;
        self.drop_overdue(OutboxQueue::New).await?;
        for id in self.queues().await? {
            let dropped = self.drop_overdue(OutboxQueue::Target(id)).await?;
            if dropped > 0 {
                tracing::warn!(target_id = %id, dropped, "dropped notifications: too old, or too many");
                self.change_target(id, |state| {
                    state.dropped += dropped;
                    true
                })
                .await?;
            }
        }
        for state in self.states().await? {
            if !self.is_current(&state).await? {
                self.forget(state.target.target_id).await?;
            }
        }
        Ok(())
    }

    /// Removes the entries of a queue that are too old, and the oldest of those that are too many.
    async fn drop_overdue(&self, queue: OutboxQueue) -> Result<u64, Error> {
        let (prefix, now, mut dropped) = (StorageKey::outbox(queue), self.now(), 0);
        loop {
            let keys = self.store().keys(&prefix, None, MAX_QUEUED + PAGE_SIZE).await?;
            let is_old = |key: &&StorageKey| {
                OutboxEntry::from_key(key).is_none_or(|entry| now.since(entry.id.at()) >= DELIVERY_PERIOD)
            };
            let old = keys.iter().take_while(is_old).count();
            // New notifications are bounded by their age alone: another server may be distributing them.
            let many = if queue == OutboxQueue::New { 0 } else { keys.len().saturating_sub(MAX_QUEUED) };
            let excess = old.max(many);
            self.remove(&keys[..excess]).await?;
            dropped += excess as u64;
            if keys.len() < MAX_QUEUED + PAGE_SIZE || excess == 0 {
                return Ok(dropped);
            }
        }
    }

    /// Removes a target that is not set any more, with its queue.
    async fn forget(&self, id: TargetId) -> Result<(), Error> {
        loop {
            let keys = self.store().keys(&StorageKey::outbox(OutboxQueue::Target(id)), None, PAGE_SIZE).await?;
            if keys.is_empty() {
                break;
            }
            self.remove(&keys).await?;
        }
        self.remove(&[StorageKey::target(id)]).await
    }
}
