//! Outbox of a store: queues of notifications, shared by all servers of the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::target_state::TargetState;
use super::{NotificationTarget, TargetScope};
use crate::domain::clock::Clock;
use crate::domain::crypto::random;
use crate::domain::error::Error;
use crate::domain::id::{RecordId, TargetId};
use crate::domain::store::{Commit, OutboxEntry, OutboxQueue, StorageKey, Store, StoreError, Swap, create, read, swap};
use crate::domain::timestamp::Timestamp;
use crate::domain::token::Token;

/// Number of entries that one listing reads.
pub(super) const PAGE_SIZE: usize = 500;
/// Period after which a webhook of all transfers is forgotten, if no server has it in its settings.
pub(super) const UNUSED_AFTER: Duration = Duration::from_hours(25);
/// Interval at which a server confirms the webhooks in its settings.
const CONFIRM_INTERVAL: Duration = Duration::from_hours(1);

/// Outbox of a store, as one server works on it.
#[derive(Clone)]
pub struct Outbox(pub(super) Arc<OutboxInner>);

pub(super) struct OutboxInner {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    /// Random name of this process in leases.
    pub(super) holder: String,
    /// Targets of all transfers in the settings of this server.
    pub(super) service_targets: Vec<NotificationTarget>,
    /// Failed attempts at the first notification of a transfer, by target.
    attempts: Mutex<HashMap<TargetId, Attempts>>,
    /// Whether this server is stopping, so that no further delivery begins.
    is_stopping: AtomicBool,
}

/// Failed attempts at notifications of one target.
pub(super) type Attempts = HashMap<RecordId, DeliveryAttempt>;

/// Failed attempts at one notification.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeliveryAttempt {
    /// Number of failures.
    pub(super) failures: u32,
    /// Time before which the notification is not tried again.
    pub(super) retry_at: Timestamp,
}

/// Result of distributing new notifications to the queues of targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DispatchResult {
    /// Number of notifications that were distributed, or had no target.
    pub distributed: u64,
    /// Number of notifications that are still being written.
    pub held: u64,
    /// Number of notifications that were dropped: too old, or never written.
    pub dropped: u64,
}

impl Outbox {
    /// Creates the outbox of `store` for a server with `service_targets` in its settings.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, service_targets: Vec<NotificationTarget>) -> Self {
        let (holder, attempts, is_stopping) = (random::name(), Mutex::default(), AtomicBool::new(false));
        Self(Arc::new(OutboxInner { store, clock, holder, service_targets, attempts, is_stopping }))
    }

    /// Lets rounds in progress end after the deliveries that have begun.
    pub fn stop(&self) {
        self.0.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Returns whether this server is stopping.
    pub(super) fn is_stopping(&self) -> bool {
        self.0.is_stopping.load(Ordering::Relaxed)
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.0.store.as_ref()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Gives the failed attempts at the notifications of a target to `update`.
    pub(super) fn with_attempts<T>(&self, id: TargetId, update: impl FnOnce(&mut Attempts) -> T) -> T {
        let mut all: MutexGuard<'_, HashMap<TargetId, Attempts>> =
            self.0.attempts.lock().expect("nothing panics while it holds this lock");
        let result = update(all.entry(id).or_default());
        all.retain(|_, attempts| !attempts.is_empty());
        result
    }

    /// Records the webhooks of this server in the store, so that every server distributes to them.
    /// Returns those that the store did not have.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn register_service_targets(&self) -> Result<Vec<NotificationTarget>, Error> {
        let mut new = Vec::new();
        for target in &self.0.service_targets {
            if self.confirm(target, TargetScope::Service, CONFIRM_INTERVAL).await? {
                new.push(target.clone());
            }
        }
        Ok(new)
    }

    /// Creates the state of a target, or updates the time at which the target was seen. Returns whether it is new.
    pub(super) async fn confirm(
        &self,
        target: &NotificationTarget,
        scope: TargetScope,
        interval: Duration,
    ) -> Result<bool, Error> {
        let (key, now) = (StorageKey::target(target.target_id), self.now());
        let state = TargetState::new(target.clone(), scope, now);
        match read::<TargetState>(self.store(), &key).await? {
            Some(found) if now.since(found.value.seen_at) < interval => return Ok(false),
            Some(_) => {}
            None => match create(self.store(), key.clone(), &state, Commit::with_reserve()).await {
                Ok(()) => return Ok(true),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            },
        }
        self.change_target(target.target_id, |state| {
            state.seen_at = state.seen_at.max(now);
            true
        })
        .await
        .map(|_| false)
    }

    /// Changes the state of a target. `change` says whether to write it. Returns the state, or `None` without one.
    pub(super) async fn change_target(
        &self,
        id: TargetId,
        mut change: impl FnMut(&mut TargetState) -> bool + Send,
    ) -> Result<Option<TargetState>, Error> {
        let (missing, key) = (|| Error::TokenNotFound, StorageKey::target(id));
        let changed = swap(self.store(), &key, missing, |mut state: TargetState| {
            let writes = change(&mut state);
            let output = state.clone();
            Ok::<_, Error>(if writes { Swap::write(state, Commit::with_reserve(), output) } else { Swap::Keep(output) })
        });
        match changed.await {
            Ok(state) => Ok(Some(state)),
            Err(Error::TokenNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the targets with a queue.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn queues(&self) -> Result<Vec<TargetId>, Error> {
        let (outbox, mut after, mut found) = (StorageKey::whole_outbox(), None, Vec::new());
        while let Some(key) = self.store().keys(&outbox, after.as_ref(), 1).await?.pop() {
            after = Some(match OutboxEntry::from_key(&key).map(|entry| entry.queue) {
                Some(OutboxQueue::Target(id)) => {
                    found.push(id);
                    StorageKey::after_queue(OutboxQueue::Target(id))
                }
                // Sorts after the ids of all targets.
                Some(OutboxQueue::New) => StorageKey::after_queue(OutboxQueue::New),
                None => key,
            });
        }
        Ok(found)
    }

    /// Returns whether a target is still set: in the record of its token, or in the settings of a server.
    pub(super) async fn is_current(&self, state: &TargetState) -> Result<bool, Error> {
        let TargetScope::Token(token_id) = state.scope else {
            return Ok(self.now().since(state.seen_at) < UNUSED_AFTER);
        };
        let token = read::<Token>(self.store(), &StorageKey::token(token_id)).await?;
        Ok(token.is_some_and(|token| token.value.notifications.all().any(|target| *target == state.target)))
    }

    /// Removes entries, in commits of bounded size.
    pub(super) async fn remove(&self, entries: &[StorageKey]) -> Result<(), Error> {
        for removals in entries.chunks(PAGE_SIZE) {
            self.store().commit(Commit { removals: removals.to_vec(), ..Commit::with_reserve() }).await?;
        }
        Ok(())
    }
}
