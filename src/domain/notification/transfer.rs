//! Notifications of a transfer: which are due, and how a commit gets them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Notification, NotificationChoice, NotificationKind};
use crate::domain::crypto::digest::Sha256;
use crate::domain::id::{LinkId, RecordIds};
use crate::domain::store::{Commit, OutboxEntry, OutboxQueue, StorageKey, to_json};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{FurtherLink, GrantRecord, LinkRecord, State, Transfer};
use crate::domain::version::V1;

/// Share of its lifetime that a transfer without a download has left at its reminder: a tenth.
const REMINDER_SHARE: u32 = 10;
/// Minimum time between the reminder and the expiry of a transfer.
const MIN_REMINDER_LEAD: Duration = Duration::from_hours(1);

/// State of a transfer's notifications, in its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferNotifications {
    /// The sender's choice.
    #[serde(default, skip_serializing_if = "NotificationChoice::is_default")]
    pub choice: NotificationChoice,
    /// Time in the id of the latest notification, so that later ids are greater on every server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// Whether the reminder before the expiry was sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_reminded: bool,
}

impl TransferNotifications {
    /// Returns whether the record can omit the state.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Link that a notification is about.
#[derive(Clone, Copy)]
struct NotifiedLink {
    /// Id of a further link; `None` for the own link.
    id: Option<LinkId>,
    download_count: u64,
    max_downloads: Option<u32>,
    /// SHA-256 of the grant whose object the commit creates.
    grant: Option<Sha256>,
}

impl NotifiedLink {
    fn of(link: &LinkRecord, id: Option<LinkId>) -> Self {
        Self { id, download_count: link.download_count(), max_downloads: link.max_downloads, grant: None }
    }
}

impl Transfer {
    /// Adds notifications of `kinds` to a commit that changes this transfer, if the sender wants them.
    pub(crate) fn notify(&mut self, with: &mut Commit, ids: &RecordIds, now: Timestamp, kinds: &[NotificationKind]) {
        let link = NotifiedLink::of(&self.own_link, None);
        self.add_notifications(with, ids, now, kinds, link);
    }

    /// Adds notifications of `kinds` about a further link to a commit that changes the link.
    pub(crate) fn notify_of_link(
        &mut self,
        with: &mut Commit,
        ids: &RecordIds,
        now: Timestamp,
        kinds: &[NotificationKind],
        link: &FurtherLink,
    ) {
        let link = NotifiedLink::of(&link.link, Some(link.link_id));
        self.add_notifications(with, ids, now, kinds, link);
    }

    /// Adds the notification of a download to the commit that creates the object of its grant.
    ///
    /// Nobody reads this object to complete an interrupted commit, so the id of the notification names the grant: the
    /// dispatcher finds the object by it.
    pub(crate) fn notify_of_grant(
        &mut self,
        with: &mut Commit,
        ids: &RecordIds,
        grant: &GrantRecord,
        link: Option<&FurtherLink>,
    ) {
        let notified = match link {
            Some(further) => NotifiedLink::of(&further.link, Some(further.link_id)),
            None => NotifiedLink::of(&self.own_link, None),
        };
        let notified = NotifiedLink { grant: Some(grant.sha256), ..notified };
        self.add_notifications(with, ids, grant.granted_at, &[NotificationKind::TransferDownloaded], notified);
    }

    fn add_notifications(
        &mut self,
        with: &mut Commit,
        ids: &RecordIds,
        now: Timestamp,
        kinds: &[NotificationKind],
        link: NotifiedLink,
    ) {
        let NotifiedLink { id: link_id, download_count, max_downloads, grant } = link;
        let (token_id, transfer_id) = (self.owner(), self.transfer_id);
        let request = self.request();
        for kind in kinds.iter().copied().filter(|kind| self.notifications.choice.includes(*kind)) {
            // Also greater than the ids of a server whose clock is ahead.
            let after_last = self.notifications.last_at.map(|last| last.plus(Duration::from_millis(1)));
            let id = ids.next(now.max(after_last.unwrap_or(now)));
            let id = grant.map_or(id, |grant| id.naming(&grant));
            self.notifications.last_at = Some(id.at());
            let notification =
                Notification { v: V1, id, kind, at: now, transfer_id, link_id, request, download_count, max_downloads };
            with.schedule.push(OutboxEntry { queue: OutboxQueue::New, id, token_id, transfer_id }.key());
            with.records.push((StorageKey::notification(token_id, id), to_json(&notification)));
        }
    }

    /// Returns the time of the reminder that nobody has downloaded the transfer, if one is to come.
    ///
    /// A transfer that is completed later than this time has no reminder. That of a transfer with further links depends
    /// on them: see [`Transfer::reminder_before`].
    #[must_use]
    pub fn reminder_at(&self) -> Option<Timestamp> {
        if self.ends_with_own_link() { self.reminder_before(self.own_link.expires_at) } else { None }
    }

    /// Returns the time of the reminder of a transfer whose last link expires at `end`, if one is to come.
    #[must_use]
    pub fn reminder_before(&self, end: Timestamp) -> Option<Timestamp> {
        let State::Completed { at: completed_at } = self.state else { return None };
        if !self.is_unclaimed() {
            return None;
        }
        Some(end.minus(self.reminder_lead(end))).filter(|at| *at > completed_at)
    }

    /// Returns the schedule entry for a reminder before `end`, if the transfer awaits one.
    ///
    /// Another link may expire later: the sweeper reads them all.
    pub(crate) fn reminder_entry(&self, end: Timestamp) -> Option<StorageKey> {
        let at = end.minus(self.reminder_lead(end));
        self.awaits_reminder().then(|| StorageKey::schedule_entry(at, self.transfer_id))
    }

    /// Returns whether the transfer is completed, awaits a reminder, and has no download so far.
    pub(crate) fn is_unclaimed(&self) -> bool {
        matches!(self.state, State::Completed { .. }) && self.awaits_reminder() && self.total_downloads() == 0
    }

    fn awaits_reminder(&self) -> bool {
        let is_wanted = self.notifications.choice.includes(NotificationKind::TransferExpiringUnclaimed);
        is_wanted && !self.notifications.is_reminded
    }

    fn reminder_lead(&self, end: Timestamp) -> Duration {
        (end.since(self.created_at) / REMINDER_SHARE).max(MIN_REMINDER_LEAD)
    }

    /// Marks the reminder as sent if it is due at `now`; returns whether it was.
    pub(crate) fn take_reminder(&mut self, now: Timestamp) -> bool {
        let is_due = self.reminder_at().is_some_and(|at| at <= now);
        self.notifications.is_reminded |= is_due;
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{TokenId, TransferId};
    use crate::domain::transfer::TransferTerms;
    use crate::domain::wire::CompleteUpload;

    fn completed(lifetime: Duration) -> Transfer {
        let terms = TransferTerms {
            size_bytes: 1,
            lifetime,
            max_downloads: None,
            access_sha256: None,
            access_from_passphrase: false,
            own_link_closed: false,
            notify: NotificationChoice::First,
        };
        let start = Timestamp::from_millis(1_767_268_800_000);
        let mut transfer = Transfer::new(TransferId::random(), TokenId::random(), &terms, start);
        transfer.complete(start, &CompleteUpload::default()).unwrap();
        transfer
    }

    #[test]
    fn the_reminder_comes_a_tenth_of_the_life_before_the_end_and_at_least_an_hour() {
        let hours = Duration::from_hours;
        for (life, lead) in [(hours(100), hours(10)), (hours(5), hours(1)), (hours(2), hours(1))] {
            let mut transfer = completed(life);
            let at = transfer.own_link.expires_at.minus(lead);
            assert_eq!(transfer.reminder_at(), Some(at));
            assert!(!transfer.take_reminder(at.minus(Duration::from_millis(1))));
            assert!(transfer.take_reminder(at));
            assert!(!transfer.take_reminder(at), "reminded twice");
        }
        assert_eq!(completed(hours(1)).reminder_at(), None, "too short a life");
    }

    #[test]
    fn there_is_no_reminder_after_a_download_or_if_none_is_wanted() {
        let mut downloaded = completed(Duration::from_hours(100));
        downloaded.own_link.downloads = 1;
        assert_eq!(downloaded.reminder_at(), None);
        let mut silent = completed(Duration::from_hours(100));
        silent.notifications.choice = NotificationChoice::Never;
        assert_eq!(silent.reminder_at(), None);
    }

    #[test]
    fn ids_increase_although_the_clock_of_the_second_server_is_behind() {
        let mut transfer = completed(Duration::from_hours(100));
        let (first, second) = (RecordIds::default(), RecordIds::default());
        let mut commit = Commit::default();
        let kinds = [NotificationKind::TransferCompleted];
        transfer.notify(&mut commit, &first, Timestamp::from_millis(10_000), &kinds);
        transfer.notify(&mut commit, &second, Timestamp::from_millis(2_000), &kinds);
        assert!(commit.schedule[0] < commit.schedule[1]);
        assert_eq!(commit.records.len(), 2);
        transfer.notifications.choice = NotificationChoice::Never;
        transfer.notify(&mut commit, &second, Timestamp::from_millis(20_000), &kinds);
        assert_eq!((commit.schedule.len(), commit.records.len()), (2, 2));
    }
}
