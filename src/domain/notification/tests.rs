//! Tests of the outbox: at least once, in order, bounded, and shared by servers.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::target_state::{LEASE, TargetState};
use super::*;
use crate::domain::clock::{Clock, ManualClock};
use crate::domain::id::{RecordId, RecordIds, TargetId, TokenId, TransferId};
use crate::domain::store::{
    Change, Commit, Condition, MemoryStore, OutboxEntry, OutboxQueue, Records, StorageKey, read, to_json,
};
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

const START: Timestamp = Timestamp::from_millis(1_767_268_800_000);

/// Receiver that records what it gets, and fails as it is told.
#[derive(Default)]
struct Receiver {
    received: Mutex<Vec<(TransferId, RecordId)>>,
    failing: Mutex<HashSet<TransferId>>,
    is_down: Mutex<bool>,
}

#[async_trait]
impl NotificationSender for Receiver {
    fn can_send(&self, _: &NotificationTarget) -> bool {
        true
    }

    async fn send(&self, _: &NotificationTarget, notification: &Notification) -> Result<(), DeliveryError> {
        tokio::task::yield_now().await;
        let fails = *self.is_down.lock().unwrap() || self.failing.lock().unwrap().contains(&notification.transfer_id);
        if fails {
            return Err(DeliveryError::new(FailureReason::ReceiverError, "down"));
        }
        self.received.lock().unwrap().push((notification.transfer_id, notification.id));
        Ok(())
    }
}

impl Receiver {
    fn ids(&self) -> Vec<RecordId> {
        self.received.lock().unwrap().iter().map(|(_, id)| *id).collect()
    }
}

/// Store with a webhook of all transfers.
struct Fixture {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    outbox: Outbox,
    ids: RecordIds,
    target: TargetId,
    token: TokenId,
}

impl Fixture {
    async fn new() -> Self {
        let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(ManualClock::at(START)));
        let target = NotificationTarget::of_service("https://hooks.example/x".parse().unwrap());
        let (ids, token) = (RecordIds::default(), TokenId::random());
        let outbox = Outbox::new(store.clone(), clock.clone(), vec![target.clone()]);
        assert_eq!(outbox.register_service_targets().await.unwrap(), std::slice::from_ref(&target));
        Self { store, clock, outbox, ids, target: target.target_id, token }
    }

    /// Creates another server on the same store.
    fn second_server(&self) -> Outbox {
        Outbox::new(self.store.clone(), self.clock.clone(), Vec::new())
    }

    fn entry(&self, transfer_id: TransferId) -> OutboxEntry {
        let id = self.ids.next(self.clock.now());
        OutboxEntry { queue: OutboxQueue::New, id, token_id: self.token, transfer_id }
    }

    async fn log(&self, entry: OutboxEntry) {
        let OutboxEntry { id, transfer_id, token_id, .. } = entry;
        let (kind, at) = (NotificationKind::TransferDownloaded, self.clock.now());
        let notification = Notification {
            v: V1,
            id,
            kind,
            at,
            transfer_id,
            link_id: None,
            request: None,
            download_count: 1,
            max_downloads: None,
        };
        let records = vec![(StorageKey::notification(token_id, id), to_json(&notification))];
        self.store.commit(Commit { records, ..Commit::default() }).await.unwrap();
    }

    async fn enqueue(&self, entry: OutboxEntry) {
        self.store.commit(Commit { schedule: vec![entry.key()], ..Commit::default() }).await.unwrap();
    }

    /// Commits a notification of a transfer.
    async fn notify(&self, transfer: TransferId) -> RecordId {
        let entry = self.entry(transfer);
        self.log(entry).await;
        self.enqueue(entry).await;
        entry.id
    }

    async fn run(&self, outbox: &Outbox, receiver: &Receiver) -> DeliveryRound {
        outbox.dispatch().await.unwrap();
        outbox.deliver(self.target, receiver).await.unwrap()
    }

    async fn queued(&self) -> usize {
        self.store.keys(&StorageKey::whole_outbox(), None, 100_000).await.unwrap().len()
    }

    async fn state(&self) -> TargetState {
        let state = read::<TargetState>(&*self.store, &StorageKey::target(self.target)).await.unwrap();
        state.unwrap().value
    }
}

#[tokio::test]
async fn notifications_are_delivered_once_and_in_the_order_of_their_transfer() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::default());
    let transfers: Vec<_> = (0..5).map(|_| TransferId::random()).collect();
    let mut sent: BTreeMap<TransferId, Vec<RecordId>> = BTreeMap::new();
    for number in 0..50 {
        let transfer = transfers[number % transfers.len()];
        sent.entry(transfer).or_default().push(fixture.notify(transfer).await);
    }
    assert_eq!(fixture.run(&fixture.outbox, &receiver).await, DeliveryRound { delivered: 50, failed: 0 });
    let mut got: BTreeMap<TransferId, Vec<RecordId>> = BTreeMap::new();
    for (transfer, id) in receiver.received.lock().unwrap().iter() {
        got.entry(*transfer).or_default().push(*id);
    }
    assert_eq!(got, sent);
    assert_eq!(fixture.queued().await, 0);
    assert_eq!(fixture.run(&fixture.outbox, &receiver).await, DeliveryRound::default());
    assert_eq!((fixture.state().await.delivered, fixture.state().await.lease), (50, None));
}

#[tokio::test]
async fn a_notification_of_a_commit_in_progress_holds_the_later_ones_of_its_transfer_only() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::default());
    let (slow, other) = (TransferId::random(), TransferId::random());
    let entry = fixture.entry(slow);
    fixture.enqueue(entry).await;
    let later = fixture.notify(slow).await;
    let independent = fixture.notify(other).await;
    fixture.run(&fixture.outbox, &receiver).await;
    assert_eq!(receiver.ids(), [independent]);
    fixture.log(entry).await;
    fixture.run(&fixture.outbox, &receiver).await;
    assert_eq!(receiver.ids(), [independent, entry.id, later]);
    // A commit that failed leaves an entry without a notification.
    fixture.enqueue(fixture.entry(slow)).await;
    let last = fixture.notify(slow).await;
    fixture.clock.advance(Duration::from_mins(3));
    let dispatched = fixture.outbox.dispatch().await.unwrap();
    assert_eq!((dispatched.dropped, dispatched.distributed), (1, 1));
    fixture.run(&fixture.outbox, &receiver).await;
    assert_eq!(receiver.ids().last(), Some(&last));
}

#[tokio::test]
async fn a_receiver_that_is_down_waits_longer_and_longer_and_gets_all_afterwards() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::default());
    let mut sent = Vec::new();
    let transfer = TransferId::random();
    for _ in 0..3 {
        sent.push(fixture.notify(transfer).await);
    }
    *receiver.is_down.lock().unwrap() = true;
    let mut attempts = 0;
    for _ in 0..12 * 60 {
        attempts += fixture.run(&fixture.outbox, &receiver).await.failed;
        fixture.clock.advance(Duration::from_mins(1));
    }
    assert!((25..=60).contains(&attempts), "{attempts} attempts in 12 hours");
    let overview = &fixture.outbox.overview().await.unwrap()[0];
    assert_eq!((overview.health, overview.reason), (TargetHealth::Dead, Some(FailureReason::ReceiverError)));
    assert_eq!((overview.failing_since, overview.address.as_str()), (Some(START), "https://hooks.example"));
    *receiver.is_down.lock().unwrap() = false;
    for _ in 0..40 {
        fixture.run(&fixture.outbox, &receiver).await;
        fixture.clock.advance(Duration::from_mins(1));
    }
    assert_eq!(receiver.ids(), sent);
    assert_eq!(fixture.outbox.failing().await.unwrap(), []);
}

#[tokio::test]
async fn one_failing_notification_delays_its_own_transfer_only() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::default());
    let bad: Vec<_> = (0..6).map(|_| TransferId::random()).collect();
    receiver.failing.lock().unwrap().extend(&bad);
    for transfer in &bad {
        fixture.notify(*transfer).await;
        fixture.notify(*transfer).await;
    }
    let mut good = Vec::new();
    for _ in 0..10 {
        good.push(fixture.notify(TransferId::random()).await);
    }
    for _ in 0..60 {
        fixture.run(&fixture.outbox, &receiver).await;
        fixture.clock.advance(Duration::from_secs(10));
    }
    let got: HashSet<_> = receiver.ids().into_iter().collect();
    assert_eq!(got, good.into_iter().collect());
    assert_eq!(fixture.queued().await, 2 * bad.len());
}

#[tokio::test]
async fn a_month_without_a_receiver_leaves_a_bounded_queue_and_counts_what_was_dropped() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::default());
    *receiver.is_down.lock().unwrap() = true;
    let (mut sent, mut most) = (0, 0);
    for hour in 0..30 * 24 {
        // A burst beyond the bound on one day.
        for _ in 0..if hour == 100 { MAX_QUEUED + 50 } else { 20 } {
            fixture.notify(TransferId::random()).await;
            sent += 1;
        }
        fixture.run(&fixture.outbox, &receiver).await;
        fixture.outbox.maintain().await.unwrap();
        most = most.max(fixture.queued().await);
        fixture.clock.advance(Duration::from_hours(1));
    }
    let left = fixture.queued().await;
    assert!(most <= MAX_QUEUED, "{most} notifications were queued");
    assert!(left <= 20 * 25, "{left} notifications are queued after a month");
    assert_eq!(fixture.state().await.dropped, sent - left as u64);
}

#[tokio::test]
async fn servers_share_the_outbox_by_leases() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::default());
    let second = fixture.second_server();
    let id = fixture.notify(TransferId::random()).await;
    fixture.outbox.dispatch().await.unwrap();
    // The first server has the lease, and ends without a trace.
    let key = StorageKey::target(fixture.target);
    let found = read::<TargetState>(&*fixture.store, &key).await.unwrap().unwrap();
    let mut state = found.value;
    assert!(target_state::QueueLease::take(&mut state.lease, "killed", START));
    let change = Change { key, condition: Condition::Is(found.version), value: to_json(&state) };
    fixture.store.commit(Commit::of(change)).await.unwrap();
    assert_eq!(second.deliver(fixture.target, &receiver).await.unwrap(), DeliveryRound::default());
    fixture.clock.advance(LEASE);
    assert_eq!(second.deliver(fixture.target, &receiver).await.unwrap().delivered, 1);
    assert_eq!(receiver.ids(), [id]);
    // Two servers at once: each notification once, since only one has the lease.
    for _ in 0..20 {
        fixture.notify(TransferId::random()).await;
    }
    let (one, two) = tokio::join!(fixture.run(&fixture.outbox, &receiver), fixture.run(&second, &receiver));
    assert!(one.delivered + two.delivered <= 20);
    fixture.run(&second, &receiver).await;
    assert_eq!(receiver.ids().len(), 21);
}

#[tokio::test]
async fn a_webhook_that_no_server_has_in_its_settings_any_more_is_forgotten() {
    let (fixture, receiver) = (Fixture::new().await, Receiver::default());
    let other = fixture.second_server();
    fixture.notify(TransferId::random()).await;
    other.dispatch().await.unwrap();
    assert_eq!(fixture.queued().await, 1);
    fixture.clock.advance(Duration::from_hours(23));
    other.maintain().await.unwrap();
    assert_eq!(fixture.queued().await, 1);
    fixture.clock.advance(Duration::from_hours(3));
    fixture.notify(TransferId::random()).await;
    other.dispatch().await.unwrap();
    other.maintain().await.unwrap();
    assert_eq!(fixture.queued().await, 0);
    assert_eq!(other.overview().await.unwrap(), []);
    assert_eq!(fixture.run(&other, &receiver).await, DeliveryRound::default());
}
