//! Schedule entries: names of objects that tell the sweeper what is due, and when.

use super::StorageKey;
use super::key::READ_REMOVAL;
use crate::domain::id::TransferId;

/// Schedule entry, parsed from its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleEntry {
    /// Scheduled minute as `yyyy-mm-ddThh:mm`, UTC.
    pub minute: String,
    /// Id of the scheduled transfer.
    pub transfer_id: TransferId,
    /// Work of the sweeper.
    pub work: ScheduledWork,
}

/// Work of the sweeper on a scheduled transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduledWork {
    /// Processes the transfer itself: its expiry, its payload, its removal.
    Transfer,
    /// Removes the transfer's records of reads.
    Reads,
}

impl ScheduleEntry {
    /// Parses a schedule entry; `None` if `key` is not under `due/` or malformed.
    #[must_use]
    pub fn from_key(key: &StorageKey) -> Option<Self> {
        let (minute, name) = key.as_str().strip_prefix("due/")?.split_once('/')?;
        let (id, work) = match name.strip_suffix(READ_REMOVAL) {
            Some(id) => (id, ScheduledWork::Reads),
            None => (name, ScheduledWork::Transfer),
        };
        Some(Self { minute: minute.to_owned(), transfer_id: id.parse().ok()?, work })
    }

    /// Returns the key of the entry.
    #[must_use]
    pub fn key(&self) -> StorageKey {
        StorageKey::scheduled(&self.minute, self.transfer_id, self.work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::timestamp::Timestamp;

    #[test]
    fn a_schedule_entry_parses_from_its_key() {
        let (id, at) = (TransferId::random(), Timestamp::from_millis(0));
        for (key, work, name) in [
            (StorageKey::schedule_entry(at, id), ScheduledWork::Transfer, id.to_string()),
            (StorageKey::read_removal_entry(at, id), ScheduledWork::Reads, format!("{id}.reads")),
        ] {
            assert_eq!(key.as_str(), format!("due/1970-01-01T00:00/{name}"));
            let minute = "1970-01-01T00:00".to_owned();
            let entry = ScheduleEntry { minute, transfer_id: id, work };
            assert_eq!(entry.key(), key);
            assert_eq!(ScheduleEntry::from_key(&key), Some(entry));
        }
        assert_eq!(ScheduleEntry::from_key(&StorageKey::transfer(id)), None);
    }
}
