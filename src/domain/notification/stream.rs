//! Reading of a token's notifications as they arrive, from the log in the store.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{LOG_PERIOD, Notification};
use crate::domain::error::Error;
use crate::domain::id::{RecordId, TokenId};
use crate::domain::store::{StorageKey, Store, from_json};
use crate::domain::timestamp::Timestamp;

/// Period in which notifications can be logged after later ones.
///
/// Servers may be slow, and their clocks differ.
const LATE_PERIOD: Duration = Duration::from_secs(10);
/// Number of notifications that one read returns at most.
const PAGE_SIZE: usize = 100;

/// Position in the notifications of one token. Returns each notification once, also one that is logged late.
#[derive(Debug)]
pub struct NotificationCursor {
    token_id: TokenId,
    /// Id after which the next read begins.
    after: RecordId,
    /// Ids after `after` that were returned.
    seen: BTreeSet<RecordId>,
}

impl NotificationCursor {
    /// Creates a cursor after the notification `last`, or at the time `now`.
    ///
    /// Notifications before `last` that were logged late are returned again: a client that resumes must ignore ids that
    /// it knows. A `last` that is older than the log begins at the oldest notification.
    #[must_use]
    pub fn new(token_id: TokenId, last: Option<RecordId>, now: Timestamp) -> Self {
        let start = last.map_or(now, |last| last.at().minus(LATE_PERIOD)).max(now.minus(LOG_PERIOD)).min(now);
        Self { token_id, after: RecordId::before(start), seen: last.into_iter().collect() }
    }

    /// Returns an id for a client that has received nothing since `now`.
    #[must_use]
    pub fn start_id(now: Timestamp) -> RecordId {
        RecordId::before(now.plus(LATE_PERIOD))
    }

    /// Reads the notifications that have arrived since the last call, oldest first.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn next(&mut self, store: &dyn Store, now: Timestamp) -> Result<Vec<Notification>, Error> {
        let mut found = Vec::new();
        let (mut day, last_day) = (self.after.at().day(), now.plus(LATE_PERIOD).day());
        while day.as_str() <= last_day.as_str() && found.len() < PAGE_SIZE {
            self.read_day(store, &StorageKey::notifications_of(&day, self.token_id), &mut found).await?;
            day = day.next();
        }
        // Later reads begin where nothing can be logged any more.
        let settled = RecordId::before(now.minus(LATE_PERIOD));
        let read_to =
            if found.len() < PAGE_SIZE { settled } else { found.last().map_or(settled, |one| one.id.min(settled)) };
        self.after = self.after.max(read_to);
        self.seen = self.seen.split_off(&self.after);
        Ok(found)
    }

    async fn read_day(
        &mut self,
        store: &dyn Store,
        prefix: &crate::domain::store::Prefix,
        found: &mut Vec<Notification>,
    ) -> Result<(), Error> {
        let mut after = Some(prefix.object(&self.after));
        while found.len() < PAGE_SIZE {
            let mut keys = store.keys(prefix, after.as_ref(), PAGE_SIZE).await?;
            let Some(last) = keys.last().cloned() else { break };
            keys.retain(|key| key.name().parse().is_ok_and(|id| !self.seen.contains(&id)));
            keys.truncate(PAGE_SIZE - found.len());
            for (key, value) in store.get_all(&keys).await? {
                let notification: Notification = from_json(key.as_str(), &value)?;
                self.seen.insert(notification.id);
                found.push(notification);
            }
            after = Some(last);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{RecordIds, TransferId};
    use crate::domain::notification::NotificationKind;
    use crate::domain::store::{Commit, MemoryStore, Records, to_json};
    use crate::domain::version::V1;

    const START: Timestamp = Timestamp::from_millis(1_767_268_800_000);

    struct Log(MemoryStore, TokenId);

    impl Log {
        async fn add(&self, at: Timestamp) -> RecordId {
            let id = RecordIds::default().next(at);
            let notification = Notification {
                v: V1,
                id,
                kind: NotificationKind::TransferCompleted,
                at,
                transfer_id: TransferId::random(),
                link_id: None,
                request: None,
                download_count: 0,
                max_downloads: None,
            };
            let records = vec![(StorageKey::notification(self.1, id), to_json(&notification))];
            self.0.commit(Commit { records, ..Commit::default() }).await.unwrap();
            id
        }

        async fn read(&self, cursor: &mut NotificationCursor, now: Timestamp) -> Vec<RecordId> {
            cursor.next(&self.0, now).await.unwrap().into_iter().map(|one| one.id).collect()
        }
    }

    #[tokio::test]
    async fn each_notification_is_returned_once_also_a_late_one() {
        let seconds = |count| START.plus(Duration::from_secs(count));
        let log = Log(MemoryStore::default(), TokenId::random());
        log.add(seconds(0)).await;
        let mut cursor = NotificationCursor::new(log.1, None, seconds(1));
        assert_eq!(log.read(&mut cursor, seconds(1)).await, []);
        let second = log.add(seconds(5)).await;
        assert_eq!(log.read(&mut cursor, seconds(5)).await, [second]);
        let late = log.add(seconds(3)).await;
        assert_eq!(log.read(&mut cursor, seconds(9)).await, [late]);
        assert_eq!(log.read(&mut cursor, seconds(60)).await, []);
        let midnight = START.plus(Duration::from_hours(24));
        let tomorrow = log.add(midnight).await;
        assert_eq!(log.read(&mut cursor, midnight).await, [tomorrow]);
        let mut resumed = NotificationCursor::new(log.1, Some(second), midnight);
        assert_eq!(log.read(&mut resumed, midnight).await.last(), Some(&tomorrow));
        let start = NotificationCursor::start_id(seconds(4));
        let mut from_start = NotificationCursor::new(log.1, Some(start), midnight);
        assert_eq!(log.read(&mut from_start, midnight).await, [second, tomorrow]);
        let mut other = NotificationCursor::new(TokenId::random(), None, START);
        assert_eq!(log.read(&mut other, midnight).await, []);
    }

    #[tokio::test]
    async fn many_notifications_are_read_in_pages() {
        let log = Log(MemoryStore::default(), TokenId::random());
        let mut all = Vec::new();
        for number in 0..250 {
            all.push(log.add(START.plus(Duration::from_millis(number))).await);
        }
        let (mut cursor, now) = (NotificationCursor::new(log.1, None, START), START.plus(Duration::from_hours(1)));
        let mut read = Vec::new();
        loop {
            let page = log.read(&mut cursor, now).await;
            assert!(page.len() <= PAGE_SIZE);
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, all);
    }
}
