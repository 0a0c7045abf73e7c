//! Invariants of each write: checked when the write takes effect.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::effects::expected_effects;
use super::model::{TokenModel, TransferModel};
use super::store::at_once;
use super::world::{MAX_SKEW, WorldState};
use crate::domain::audit::{EventKind, Outcome, Record, Source};
use crate::domain::id::{PayloadId, TokenId, TransferId};
use crate::domain::notification::Notification;
use crate::domain::stats::CounterDelta;
use crate::domain::store::{
    Change, Commit, MemoryStore, OutboxEntry, OutboxQueue, Payloads, Records, ScheduleEntry, ScheduledWork, StorageKey,
    TransferIndexEntry, from_json,
};
use crate::domain::token::{Quota, QuotaStep, Token};
use crate::domain::transfer::{FurtherLink, GrantRecord, PayloadState, State as TransferState, Status, Transfer};

fn parse<T: DeserializeOwned>(key: &StorageKey, value: &[u8]) -> T {
    from_json(key.as_str(), value).expect("the domain writes what it can read")
}

impl WorldState {
    /// Checks a commit that has just taken effect, and updates the model.
    pub(super) fn observe(&mut self, memory: &MemoryStore, before: Option<&Bytes>, commit: &Commit) {
        self.mix(&commit.change.as_ref().map(|change| (change.key.as_str(), &change.value)));
        let (mut events, mut index, mut expected_index) = (Vec::new(), Vec::new(), Vec::new());
        for (key, value) in &commit.records {
            self.mix(&key.as_str());
            if TransferIndexEntry::transfer_of(key).is_some() {
                index.push(key.clone());
            } else if key.as_str().starts_with(StorageKey::all_notifications().as_str()) {
                self.observe_notification(memory, key, &parse(key, value));
            } else {
                self.observe_record(&parse(key, value), &mut events);
            }
        }
        let mut delta = CounterDelta::on(self.now.day());
        let mut expected = Vec::new();
        if let Some(change) = &commit.change {
            let key = change.key.as_str();
            if let (Some(id), true) = (change.key.transfer_id(), key.ends_with("/meta.json")) {
                let before: Option<Transfer> = before.map(|value| parse(&change.key, value));
                let after: Transfer = parse(&change.key, &change.value);
                if before.is_none() {
                    expected_index = TransferIndexEntry::keys_of(&after);
                }
                (delta, expected) = expected_effects(before.as_ref(), &after, &events, delta);
                self.observe_transfer(memory, id, before, after);
                self.check_schedule(memory, id);
            } else if change.key.is_link() {
                let before: Option<FurtherLink> = before.map(|value| parse(&change.key, value));
                let after: FurtherLink = parse(&change.key, &change.value);
                let of = after.transfer_id;
                expected = self.observe_link(before.as_ref(), after, &events, &mut delta);
                self.check_schedule(memory, of);
            } else if change.key.link_id().is_some() {
                delta.downloads = 1;
                expected.push(EventKind::DownloadGranted);
            } else if let (Some(id), true) = (change.key.transfer_id(), key.contains("/grants/")) {
                delta.downloads = 1;
                expected.push(EventKind::DownloadGranted);
                self.observe_grant(id, &parse(&change.key, &change.value));
            } else if key.starts_with("tokens/") {
                self.observe_token(memory, before.map(|value| parse(&change.key, value)), change);
            }
        }
        self.check(index == expected_index, || format!("index entries {index:?}, expected {expected_index:?}"));
        self.check(events == expected, || format!("events {events:?} of a commit, expected {expected:?}"));
        let counted = CounterDelta { day: delta.day.clone(), ..commit.counter_delta.clone().unwrap_or(delta.clone()) };
        let is_counted = commit.counter_delta.is_some() || delta == CounterDelta::on(delta.day.clone());
        self.check(is_counted && counted == delta, || {
            format!("counter change {:?} of a commit, expected {delta:?}", commit.counter_delta)
        });
        self.model.totals.created += delta.created;
        self.model.totals.completed += delta.completed;
        self.model.totals.downloads += delta.downloads;
        self.model.totals.bytes += delta.bytes;
        for key in &commit.removals {
            self.observe_removed_key(memory, key);
        }
    }

    /// Checks that a notification is written after its entry of the outbox, which no server removes here.
    fn observe_notification(&mut self, memory: &MemoryStore, key: &StorageKey, notification: &Notification) {
        let Notification { id, transfer_id, .. } = *notification;
        let token_id = key.as_str().split('/').nth(2).and_then(|token| token.parse().ok());
        let is_entered = token_id.is_some_and(|token_id| {
            let entry = OutboxEntry { queue: OutboxQueue::New, id, token_id, transfer_id };
            at_once(memory.get(&entry.key())).is_ok_and(|found| found.is_some())
        });
        self.check(is_entered, || format!("{notification:?} has no entry of the outbox"));
    }

    fn observe_record(&mut self, record: &Record, events: &mut Vec<EventKind>) {
        match record {
            Record::Request(record) => {
                let of_request = self.model.records.entry(record.request_id).or_default();
                of_request.requests += 1;
                of_request.successes += u32::from(record.status < 400);
            }
            Record::Action(record) => {
                let of_request = self.model.records.entry(record.request_id).or_default();
                if record.outcome == Outcome::Done {
                    of_request.done += 1;
                    let (request, done) = (record.request_id, of_request.done);
                    self.check(done == 1, || format!("request {request} has {done} records of success"));
                } else {
                    of_request.other_actions += 1;
                }
            }
            Record::Event(event) if event.source == Source::Server => events.push(event.kind),
            Record::Event(_) => {}
        }
    }

    fn observe_transfer(&mut self, memory: &MemoryStore, id: TransferId, before: Option<Transfer>, after: Transfer) {
        let Some(before) = before else {
            let under = after.created_under.clone();
            if let Some(first) = under.and_then(|under| self.model.created_under.insert(under, id)) {
                self.violate(|| format!("one idempotency key created the transfers {first} and {id}"));
            }
            let charged: Vec<_> = after.charged_tokens().collect();
            self.model.transfers.insert(id, TransferModel::new(after));
            for token in charged {
                self.model.tokens.entry(token).or_default().created += 1;
                self.check_quota(memory, token);
            }
            return;
        };
        let latest_clock = self.now.plus(MAX_SKEW);
        let terms = |transfer: &Transfer| {
            let access = (transfer.own_link.access_sha256, transfer.own_link.access_from_passphrase);
            (transfer.token_id, transfer.guest, transfer.size_bytes, transfer.created_at, access)
        };
        self.check(terms(&before) == terms(&after), || format!("the terms of {id} have changed"));
        self.check_grants(&before, &after);
        let (from, to) = (before.state.status(), after.state.status());
        let is_allowed = from == to
            || match to {
                Status::Pending | Status::Closed => false,
                Status::Completed => from == Status::Pending,
                Status::Exhausted => from == Status::Completed,
                Status::Expired => {
                    matches!(from, Status::Pending | Status::Completed)
                        && before.deadline().is_none_or(|deadline| deadline <= latest_clock)
                }
                Status::Deleted => true,
            };
        self.check(is_allowed, || format!("{id} has changed from {from:?} to {to:?}"));
        if (from, to) == (Status::Pending, Status::Completed) {
            let is_whole = at_once(memory.read(after.payload_id(), 0..after.size_bytes)).is_ok();
            self.check(is_whole, || format!("{id} is completed without its payload"));
        }
        let released = before.payload == PayloadState::Stored && after.payload != PayloadState::Stored;
        if released {
            // A sender may have set an expiry before that of the grants.
            let last_grant = after.own_link.last_grant_expires_at().map(|last| last.min(after.own_link.expires_at));
            let may_release = match after.state {
                TransferState::Pending | TransferState::Completed { .. } => false,
                TransferState::Exhausted { .. } => last_grant.is_none_or(|last| last <= latest_clock),
                TransferState::Expired { .. } | TransferState::Deleted { .. } => true,
            };
            let in_use = self.links_needed_until(&after, latest_clock).is_some() && !after.state.is_deletion();
            let has_links = before.deadline().is_none() && from == Status::Completed;
            let may_release = may_release && !(has_links && in_use);
            self.check(may_release, || format!("the payload of {id} is released while clients may download it"));
        }
        let order = |payload| match payload {
            PayloadState::Stored => 0,
            PayloadState::PendingRemoval => 1,
            PayloadState::Removed => 2,
        };
        self.check(order(before.payload) <= order(after.payload), || format!("the payload of {id} is stored again"));
        let charged: Vec<_> = after.charged_tokens().collect();
        if let Some(model) = self.model.transfers.get_mut(&id) {
            let acknowledged = model.deletion_acknowledged;
            model.first_deadline = model.first_deadline.min(after.deadline().unwrap_or(after.own_link.expires_at));
            model.first_expiry = model.first_expiry.min(after.own_link.expires_at);
            model.was_unlimited |= after.own_link.max_downloads.is_none();
            model.was_expired |= after.state.status() == Status::Expired;
            model.last = after;
            self.check(!acknowledged || to == Status::Deleted, || format!("the deletion of {id} is lost"));
        }
        for token in charged {
            self.check_quota(memory, token);
        }
    }

    fn check_grants(&mut self, before: &Transfer, after: &Transfer) {
        let (id, before, after) = (after.transfer_id, &before.own_link, &after.own_link);
        if before.limit_history.ungathered && !after.limit_history.ungathered {
            return;
        }
        self.check(after.grants.starts_with(&before.grants), || format!("a grant of {id} is lost"));
        let new = after.grants.len() - before.grants.len().min(after.grants.len());
        self.check(new <= 1, || format!("{id} has {new} new grants in one write"));
        let (limit, count) = (after.max_downloads.map_or(0, u64::from), after.download_count());
        self.check(new == 0 || count <= limit, || format!("{id} has {count} downloads, its limit is {limit}"));
    }

    fn observe_grant(&mut self, id: TransferId, grant: &GrantRecord) {
        let latest_clock = self.now.plus(MAX_SKEW);
        let Some(model) = self.model.transfers.get_mut(&id) else { return };
        model.grants += 1;
        // A download that began before the link got its limit may write its grant afterwards, which is then worthless.
        let limited = !model.was_unlimited;
        let expires_at = model.last.own_link.expires_at.max(grant.granted_at.plus(std::time::Duration::from_hours(1)));
        self.check(!limited, || format!("{id} has a limit and a grant beside its record"));
        self.check(grant.expires_at <= expires_at.min(latest_clock.plus(std::time::Duration::from_hours(1))), || {
            format!("a grant of {id} lasts too long")
        });
    }

    fn observe_token(&mut self, memory: &MemoryStore, before: Option<Token>, change: &Change) {
        let after: Token = parse(&change.key, &change.value);
        let id = after.token_id;
        let revoked = before.is_some_and(|before| before.revoked_at.is_some());
        self.check(!revoked || after.revoked_at.is_some(), || format!("the revocation of token {id} is lost"));
        let step = self.counts.steps;
        let model = self.model.tokens.entry(id).or_default();
        model.expires_at = after.expires_at;
        model.owner = after.owner;
        let quota = &after.quota;
        model.limits = (quota.max_transfers, quota.max_total_bytes);
        model.uses.push((step, quota.transfers_created(), quota.bytes_held()));
        self.check_quota(memory, id);
    }

    /// Checks that the quota of a token equals what its transfers use, and is within its limits.
    fn check_quota(&mut self, memory: &MemoryStore, token: TokenId) {
        let key = StorageKey::token(token);
        let Ok(Some(found)) = at_once(memory.get(&key)) else { return };
        let stored: Token = parse(&key, &found.value);
        let quota = stored.quota;
        let Some(model) = self.model.tokens.get(&token) else { return };
        let (created, bytes) = self.used_by(token, model, &quota);
        let recorded = (quota.transfers_created(), quota.bytes_held());
        self.check(recorded == (created, bytes), || {
            format!("the quota of token {token} records {recorded:?}, its transfers use {created} and {bytes}")
        });
        let exceeded = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used > limit);
        let over = exceeded(quota.max_transfers, created) || exceeded(quota.max_total_bytes, bytes);
        self.check(!over, || format!("token {token} is over its quota: {created} and {bytes} of {quota:?}"));
    }

    /// Returns the transfers and bytes that a quota should record.
    fn used_by(&self, token: TokenId, model: &TokenModel, quota: &Quota) -> (u64, u64) {
        let transfers =
            || self.model.transfers.values().filter(|transfer| transfer.last.charged_tokens().any(|id| id == token));
        let held = transfers().filter(|transfer| transfer.last.holds_quota && !transfer.removed);
        let held: u64 = held.map(|transfer| transfer.last.size_bytes).sum();
        let (mut created, mut bytes) = (model.created, held);
        for (entry, size) in quota.pending_entries() {
            let transfer = self.model.transfers.get(&entry.transfer_id).filter(|transfer| !transfer.removed);
            match (entry.step, transfer) {
                (QuotaStep::Reserved, Some(transfer)) if transfer.last.reservation_in(token) == entry.mark => {}
                (QuotaStep::Reserved, _) => (created, bytes) = (created + 1, bytes + size),
                (QuotaStep::Released, Some(transfer)) if transfer.last.holds_quota => {
                    bytes = bytes.saturating_sub(size);
                }
                (QuotaStep::Released, _) => {}
            }
        }
        (created, bytes)
    }

    /// Checks the removal of a payload, before it takes effect.
    pub(super) fn observe_removal(&mut self, memory: &MemoryStore, id: PayloadId) {
        let Some(model) = self.model.transfers.values().find(|model| model.last.payload_id() == id) else { return };
        let is_stored = model.last.payload == PayloadState::Stored && !model.removed;
        let exists = at_once(memory.received(id)).is_ok_and(|received| received > 0);
        self.check(!(is_stored && exists), || format!("the payload of {id} is removed before its release"));
    }

    fn observe_removed_key(&mut self, memory: &MemoryStore, key: &StorageKey) {
        self.mix(&key.as_str());
        if let Some(entry) = ScheduleEntry::from_key(key) {
            self.check_schedule(memory, entry.transfer_id);
        } else if let (Some(id), true) = (key.transfer_id(), key.as_str().ends_with("/meta.json")) {
            let earliest_clock = self.now.plus(MAX_SKEW);
            let Some(model) = self.model.transfers.get_mut(&id) else { return };
            model.removed = true;
            let is_due = model.last.forgotten && model.last.payload == PayloadState::Removed;
            let due = model.last.retained_until(super::server::RETAIN);
            let charged: Vec<_> = model.last.charged_tokens().collect();
            self.check(is_due && due <= earliest_clock, || format!("the records of {id} are removed too early"));
            for token in charged {
                self.check_quota(memory, token);
            }
        } else if let Some(link) = key.link_id().and_then(|id| self.model.links.get_mut(&id)) {
            let of = link.last.transfer_id;
            link.removed |= key.is_link();
            let is_due = self.model.transfers.get(&of).is_none_or(|model| model.last.forgotten);
            self.check(is_due, || format!("{key} of a transfer is removed too early"));
        } else if let Some(id) = key.transfer_id() {
            let Some(model) = self.model.transfers.get(&id).filter(|model| !model.last.forgotten) else { return };
            let is_read = key.read_record().map(|(_, at)| at.plus(super::server::RETAIN_READS));
            let may_go = is_read.is_some_and(|due| due <= self.now.plus(MAX_SKEW));
            let status = model.last.state.status();
            self.check(may_go, || format!("{key} of a transfer that is {status:?} is removed too early"));
        }
    }

    /// Checks that the sweeper will process a transfer when it should.
    fn check_schedule(&mut self, memory: &MemoryStore, id: TransferId) {
        let Some(model) = self.model.transfers.get(&id).filter(|model| !model.removed) else { return };
        let due = if model.last.state.status() == Status::Completed && model.last.deadline().is_none() {
            self.links_needed_until(&model.last, self.now).unwrap_or(self.now)
        } else {
            model.last.next_sweep_at(self.now, super::server::RETAIN).max(self.now)
        };
        let latest = due.plus(MAX_SKEW * 2 + std::time::Duration::from_mins(2)).minute();
        let entries = at_once(memory.keys(&StorageKey::all_schedule_entries(), None, 1_000)).unwrap_or_default();
        let mut entries = entries
            .iter()
            .filter_map(ScheduleEntry::from_key)
            .filter(|entry| (entry.transfer_id, entry.work) == (id, ScheduledWork::Transfer));
        let first = entries.next().map(|entry| entry.minute);
        let is_scheduled = first.as_ref().is_some_and(|first| *first <= latest);
        self.check(is_scheduled, || format!("{id} is scheduled at {first:?}, expected at {latest} at the latest"));
    }
}
