//! Delivery of a queue to its target, under a lease of the target.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use super::outbox::{DeliveryAttempt, PAGE_SIZE};
use super::target_state::{LEASE_USE, QueueLease, TargetState, retry_delay};
use super::{DELIVERY_PERIOD, FailureReason, Notification, NotificationTarget, Outbox};
use crate::domain::error::{Error, chain};
use crate::domain::id::{TargetId, TransferId};
use crate::domain::store::{OutboxEntry, OutboxQueue, StorageKey, read};
use crate::domain::timestamp::Timestamp;

/// Maximum number of deliveries to one target at once.
const IN_FLIGHT: usize = 4;

/// Failed delivery of one notification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct DeliveryError {
    /// Cause, for the state of the target.
    pub reason: FailureReason,
    /// Cause, for the log, without secrets.
    pub text: String,
    /// Whether the notification must not be sent again: a mail server has rejected it permanently.
    pub is_final: bool,
}

impl DeliveryError {
    /// Creates an error.
    #[must_use]
    pub fn new(reason: FailureReason, text: impl Into<String>) -> Self {
        Self { reason, text: text.into(), is_final: false }
    }

    /// Marks the error as final.
    #[must_use]
    pub fn into_final(self) -> Self {
        Self { is_final: true, ..self }
    }
}

/// Sends notifications to targets.
#[async_trait]
pub trait NotificationSender: Send + Sync {
    /// Returns whether this server can send to a target of this kind.
    fn can_send(&self, target: &NotificationTarget) -> bool;

    /// Sends one notification, within the time of one attempt.
    async fn send(&self, target: &NotificationTarget, notification: &Notification) -> Result<(), DeliveryError>;
}

/// Result of one round of deliveries to a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryRound {
    /// Number of delivered notifications.
    pub delivered: u64,
    /// Number of failed attempts.
    pub failed: u64,
}

/// Round in progress.
struct DeliveryProgress {
    started: Timestamp,
    delivered: AtomicU64,
    failed: AtomicU64,
    /// Whether no further delivery may begin.
    is_over: AtomicBool,
    failures: Mutex<Vec<(OutboxEntry, FailureReason)>>,
}

impl Outbox {
    /// Delivers one round of a target's queue, unless another server does, or the target has to wait.
    ///
    /// Notifications of one transfer are sent in order, those of different transfers concurrently. If a round delivers
    /// nothing, the target waits, with growing delays; otherwise only the failed notifications wait.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn deliver(&self, id: TargetId, sender: &dyn NotificationSender) -> Result<DeliveryRound, Error> {
        // Most rounds find nothing to do, and need no lease.
        if self.due_queues(id).await?.is_empty() {
            return Ok(DeliveryRound::default());
        }
        let Some(state) = self.begin(id, sender).await? else { return Ok(DeliveryRound::default()) };
        // Again, since another server may have delivered meanwhile. Without the queue, nothing is delivered.
        let queues = self.due_queues(id).await.unwrap_or_default();
        let progress = DeliveryProgress {
            started: self.now(),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            failures: Mutex::default(),
        };
        let deliver = |queue| self.deliver_queue(&state, queue, sender, &progress);
        stream::iter(queues).for_each_concurrent(IN_FLIGHT, deliver).await;
        self.finish(id, progress).await
    }

    /// Takes the lease of a target; `None` if there is nothing to do for this server now.
    async fn begin(&self, id: TargetId, sender: &dyn NotificationSender) -> Result<Option<TargetState>, Error> {
        let Some(found) = read::<TargetState>(self.store(), &StorageKey::target(id)).await? else { return Ok(None) };
        let state = found.value;
        let is_waiting =
            |state: &TargetState| state.failing.as_ref().is_some_and(|failing| failing.retry_at > self.now());
        if is_waiting(&state) || !sender.can_send(&state.target) || !self.is_current(&state).await? {
            return Ok(None);
        }
        let mut is_leased = false;
        let state = self.change_target(id, |state| {
            is_leased = !is_waiting(state) && QueueLease::take(&mut state.lease, &self.0.holder, self.now());
            is_leased
        });
        let state = state.await?;
        Ok(state.filter(|_| is_leased))
    }

    /// Reads the entries of a target by transfer, without those whose first entry waits after a failure. The transfers
    /// with the least failures come first.
    async fn due_queues(&self, id: TargetId) -> Result<Vec<Vec<OutboxEntry>>, Error> {
        let page = self.store().keys(&StorageKey::outbox(OutboxQueue::Target(id)), None, PAGE_SIZE).await?;
        let entries: Vec<_> = page.iter().filter_map(OutboxEntry::from_key).collect();
        let mut by_transfer: HashMap<TransferId, Vec<OutboxEntry>> = HashMap::new();
        for entry in &entries {
            by_transfer.entry(entry.transfer_id).or_default().push(*entry);
        }
        let now = self.now();
        Ok(self.with_attempts(id, |attempts| {
            attempts.retain(|id, _| entries.iter().any(|entry| entry.id == *id));
            let attempt = |queue: &[OutboxEntry]| attempts.get(&queue[0].id).copied();
            let is_due = |queue: &Vec<OutboxEntry>| attempt(queue).is_none_or(|attempt| attempt.retry_at <= now);
            let mut queues: Vec<_> = by_transfer.into_values().filter(is_due).collect();
            queues.sort_by_key(|queue| (attempt(queue).map_or(0, |attempt| attempt.failures), queue[0].id));
            queues
        }))
    }

    /// Delivers the notifications of one transfer in their order, until one fails.
    async fn deliver_queue(
        &self,
        state: &TargetState,
        queue: Vec<OutboxEntry>,
        sender: &dyn NotificationSender,
        progress: &DeliveryProgress,
    ) {
        for entry in queue {
            let is_late = self.now().since(progress.started) >= LEASE_USE;
            if is_late || self.is_stopping() || progress.is_over.load(Ordering::Relaxed) {
                return;
            }
            match self.deliver_one(state, &entry, sender).await {
                Ok(true) => drop(progress.delivered.fetch_add(1, Ordering::Relaxed)),
                Ok(false) => {}
                Err(Failed::Store(error)) => {
                    tracing::warn!(error = %chain(&error), "cannot deliver notifications, will retry");
                    progress.is_over.store(true, Ordering::Relaxed);
                    return;
                }
                Err(Failed::Target(error)) => {
                    let target = &state.target;
                    tracing::debug!(target_id = %target.target_id, address = %target.address, %error, "delivery failed");
                    let failed = progress.failed.fetch_add(1, Ordering::Relaxed) + 1;
                    if failed >= IN_FLIGHT as u64 && progress.delivered.load(Ordering::Relaxed) == 0 {
                        progress.is_over.store(true, Ordering::Relaxed);
                    }
                    let mut failures = progress.failures.lock().unwrap_or_else(PoisonError::into_inner);
                    failures.push((entry, error.reason));
                    return;
                }
            }
        }
    }

    /// Delivers one notification and removes its entry. Returns `false` for one that is not delivered any more.
    async fn deliver_one(
        &self,
        state: &TargetState,
        entry: &OutboxEntry,
        sender: &dyn NotificationSender,
    ) -> Result<bool, Failed> {
        let is_old = self.now().since(entry.id.at()) >= DELIVERY_PERIOD;
        let key = StorageKey::notification(entry.token_id, entry.id);
        let found = read::<Notification>(self.store(), &key).await.map_err(Error::from)?;
        let found = found.filter(|_| !is_old);
        if let Some(notification) = &found {
            match sender.send(&state.target, &notification.value).await {
                Err(error) if error.is_final => {
                    self.drop_one(state, entry).await?;
                    return Err(error.into());
                }
                sent => sent?,
            }
        } else if !is_old {
            tracing::warn!(id = %entry.id, "a notification is not in the log any more");
        }
        if found.is_some() {
            self.remove(&[entry.key()]).await?;
        } else {
            self.drop_one(state, entry).await?;
        }
        Ok(found.is_some())
    }

    /// Removes an entry without a delivery, and counts it.
    async fn drop_one(&self, state: &TargetState, entry: &OutboxEntry) -> Result<(), Error> {
        self.remove(&[entry.key()]).await?;
        let counted = self.change_target(state.target.target_id, |state| {
            state.dropped += 1;
            true
        });
        counted.await.map(drop)
    }

    /// Records a round in the state of the target, and gives the lease back.
    async fn finish(&self, id: TargetId, progress: DeliveryProgress) -> Result<DeliveryRound, Error> {
        let (delivered, failed) = (progress.delivered.into_inner(), progress.failed.into_inner());
        let failures = progress.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (now, last) = (self.now(), failures.last().map(|(_, reason)| *reason));
        self.with_attempts(id, |attempts| {
            for (entry, _) in &failures {
                let failures = attempts.get(&entry.id).map_or(0, |attempt| attempt.failures).saturating_add(1);
                // Without any delivery, the target itself waits.
                let retry_at = if delivered > 0 { now.plus(retry_delay(failures)) } else { now };
                attempts.insert(entry.id, DeliveryAttempt { failures, retry_at });
            }
        });
        let mut was_failing = false;
        let state = self.change_target(id, |state| {
            was_failing = state.failing.is_some();
            state.record(now, delivered, last);
            QueueLease::release(&mut state.lease, &self.0.holder);
            true
        });
        if let Some(TargetState { target, failing: Some(failing), .. }) = state.await?
            && !was_failing
        {
            let reason = serde_json::to_value(failing.reason).unwrap_or_default();
            tracing::warn!(target_id = %id, address = %target.address, %reason, "notifications cannot be delivered, will retry");
        }
        Ok(DeliveryRound { delivered, failed })
    }
}

/// Cause of a failed delivery.
enum Failed {
    /// The store failed.
    Store(Error),
    /// The target failed.
    Target(DeliveryError),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<DeliveryError> for Failed {
    fn from(error: DeliveryError) -> Self {
        Self::Target(error)
    }
}
