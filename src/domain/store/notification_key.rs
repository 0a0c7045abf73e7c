//! Keys of notifications: their log, the outbox, and the state of targets.

use std::fmt;

use super::{Prefix, StorageKey};
use crate::domain::id::{RecordId, TargetId, TokenId, TransferId};
use crate::domain::timestamp::Day;

/// Folder of the notifications of all tokens, by day.
const LOG: &str = "notifications/";
/// Folder of the entries for notifications that a target has not received.
const OUTBOX: &str = "outbox/";
/// Queue of the notifications whose targets are not determined yet.
const NEW: &str = "new";
/// Folder of the states of targets.
const TARGETS: &str = "targets/";
/// Name of the object with the lease of the dispatcher, among the states of targets.
const DISPATCHER: &str = "dispatcher";

/// Queue of the outbox: notifications to distribute, or those for one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutboxQueue {
    /// Notifications whose targets are not determined yet.
    New,
    /// Notifications for one target.
    Target(TargetId),
}

/// Entry of the outbox, an object without content: a notification that waits in a queue.
///
/// The key names the notification, its token and its transfer, so a queue can be read without reading notifications.
/// Keys of one queue sort by the time of the notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxEntry {
    /// Queue of the entry.
    pub queue: OutboxQueue,
    /// Id of the notification.
    pub id: RecordId,
    /// Token of the transfer.
    pub token_id: TokenId,
    /// Transfer of the notification.
    pub transfer_id: TransferId,
}

impl fmt::Display for OutboxQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str(NEW),
            Self::Target(id) => id.fmt(f),
        }
    }
}

impl OutboxEntry {
    /// Parses the key of an entry; `None` for other keys.
    #[must_use]
    pub fn from_key(key: &StorageKey) -> Option<Self> {
        let (queue, name) = key.as_str().strip_prefix(OUTBOX)?.split_once('/')?;
        let queue = if queue == NEW { OutboxQueue::New } else { OutboxQueue::Target(queue.parse().ok()?) };
        let mut parts = name.split('.');
        let (id, token_id, transfer_id) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = parts.next().is_none();
        let entry = Self {
            queue,
            id: id.parse().ok()?,
            token_id: token_id.parse().ok()?,
            transfer_id: transfer_id.parse().ok()?,
        };
        is_whole.then_some(entry)
    }

    /// Returns the key of the entry.
    #[must_use]
    pub fn key(&self) -> StorageKey {
        let Self { queue, id, token_id, transfer_id } = self;
        StorageKey::from_backend(format!("{OUTBOX}{queue}/{id}.{token_id}.{transfer_id}"))
    }

    /// Returns the same notification in another queue.
    #[must_use]
    pub const fn in_queue(self, queue: OutboxQueue) -> Self {
        Self { queue, ..self }
    }
}

impl StorageKey {
    /// Returns the key of a notification in the log of its token.
    #[must_use]
    pub fn notification(token_id: TokenId, id: RecordId) -> Self {
        Self::notifications_of(&id.at().day(), token_id).object(&id)
    }

    /// Returns the prefix of the notifications of a token of one UTC day; key order is oldest first.
    #[must_use]
    pub fn notifications_of(day: &Day, token_id: TokenId) -> Prefix {
        Prefix(format!("{LOG}{day}/{token_id}/"))
    }

    /// Returns the prefix of all notifications; key order is earliest day first.
    #[must_use]
    pub fn all_notifications() -> Prefix {
        Prefix(LOG.to_owned())
    }

    /// Returns the prefix of all entries of the outbox.
    #[must_use]
    pub fn whole_outbox() -> Prefix {
        Prefix(OUTBOX.to_owned())
    }

    /// Returns the prefix of the entries of one queue of the outbox; key order is oldest first.
    #[must_use]
    pub fn outbox(queue: OutboxQueue) -> Prefix {
        Prefix(format!("{OUTBOX}{queue}/"))
    }

    /// Returns a key that sorts after all entries of a queue and before the next queue.
    #[must_use]
    pub fn after_queue(queue: OutboxQueue) -> Self {
        // `0` is the character after `/`.
        Self::from_backend(format!("{OUTBOX}{queue}0"))
    }

    /// Returns the key of the state of a target.
    #[must_use]
    pub fn target(id: TargetId) -> Self {
        Self::all_targets().object(&id)
    }

    /// Returns the prefix of the states of all targets, with the lease of the dispatcher.
    #[must_use]
    pub fn all_targets() -> Prefix {
        Prefix(TARGETS.to_owned())
    }

    /// Returns the key of the lease under which one server distributes notifications to targets.
    #[must_use]
    pub fn dispatcher() -> Self {
        Self::all_targets().object(&DISPATCHER)
    }

    /// Returns whether the object belongs to deliveries in progress, which a copy of a store leaves behind.
    ///
    /// Two stores with the same entries would deliver them twice.
    #[must_use]
    pub fn is_delivery_state(&self) -> bool {
        self.as_str().starts_with(OUTBOX) || self.as_str().starts_with(TARGETS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::RecordIds;
    use crate::domain::timestamp::Timestamp;

    #[test]
    fn an_outbox_entry_parses_from_its_key() {
        let (token_id, transfer_id) = (TokenId::random(), TransferId::random());
        let id = RecordIds::default().next(Timestamp::from_millis(1_767_268_800_123));
        let target = TargetId::random();
        for queue in [OutboxQueue::New, OutboxQueue::Target(target)] {
            let entry = OutboxEntry { queue, id, token_id, transfer_id };
            assert_eq!(entry.key().as_str(), format!("outbox/{queue}/{id}.{token_id}.{transfer_id}"));
            assert_eq!(OutboxEntry::from_key(&entry.key()), Some(entry));
            assert!(entry.key() < StorageKey::after_queue(queue));
            assert!(entry.key().is_delivery_state());
        }
        for other in ["outbox/new/x", "outbox/old/x.y.z", "notifications/new/x", "outbox/new"] {
            assert_eq!(OutboxEntry::from_key(&StorageKey::from_backend(other.to_owned())), None, "{other}");
        }
    }

    #[test]
    fn a_notification_is_stored_under_the_day_of_its_id() {
        let token = TokenId::random();
        let id = RecordIds::default().next(Timestamp::from_millis(1_767_268_800_123));
        let key = StorageKey::notification(token, id);
        assert_eq!(key.as_str(), format!("notifications/2026-01-01/{token}/{id}.json"));
        assert_eq!(key.day(), Some(id.at().day()));
        assert!(!key.is_delivery_state());
        assert_eq!(StorageKey::token(token).day(), None);
    }
}
