//! Layout of a store: builds and parses the paths of all stored objects.

mod link;
mod payload;
mod transfer;

use std::fmt;

use super::ScheduledWork;
use crate::domain::audit::{Record, RecordClass};
use crate::domain::crypto::digest::Sha256;
use crate::domain::id::{RecordId, TokenId, TransferId};
use crate::domain::timestamp::{Day, Timestamp};

/// Folder of the read records of a transfer or of a day, with the separator.
const READS: &str = "reads/";
/// Suffix of a schedule entry for read records.
pub(super) const READ_REMOVAL: &str = ".reads";

/// Returns the folder of a class of records, with the separator; empty for changes.
fn class_folder(class: RecordClass) -> &'static str {
    match class {
        RecordClass::Change => "",
        RecordClass::Read => READS,
    }
}

/// Path of one stored object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageKey(String);

/// Common path prefix of objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(pub(super) String);

impl StorageKey {
    /// Returns the key of the store header, `store.json`.
    #[must_use]
    pub fn header() -> Self {
        Self("store.json".to_owned())
    }

    /// Returns the key of an object by which a service probes its store, and which does not remain.
    #[must_use]
    pub fn probe(id: &RecordId) -> Self {
        Self::all_probes().object(id)
    }

    /// Returns the prefix of the objects of probes, of which a crash can leave some.
    #[must_use]
    pub fn all_probes() -> Prefix {
        Prefix("probes/".to_owned())
    }

    /// Returns whether this is the key of a probe: no part of the store's content.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.0.starts_with("probes/")
    }

    /// Returns the prefix of all objects.
    #[must_use]
    pub fn all_objects() -> Prefix {
        Prefix(String::new())
    }

    /// Returns the prefix of all objects of all transfers.
    #[must_use]
    pub fn all_transfers() -> Prefix {
        Prefix("transfers/".to_owned())
    }

    /// Returns the prefix of all idempotency records.
    #[must_use]
    pub fn all_idempotency_records() -> Prefix {
        Prefix("creates/".to_owned())
    }

    /// Returns the key of a sender token.
    #[must_use]
    pub fn token(id: TokenId) -> Self {
        Self::tokens().with(&format!("{id}.json"))
    }

    /// Returns the prefix of all sender tokens.
    #[must_use]
    pub fn tokens() -> Prefix {
        Prefix("tokens/".to_owned())
    }

    /// Returns the key of a service record: an audit record of a request without an existing transfer.
    #[must_use]
    pub fn service_record(class: RecordClass, record: &Record) -> Self {
        let (day, folder) = (record.at().day(), record.kind().folder());
        Self(format!("service/{}{day}/{folder}/{}.json", class_folder(class), record.id()))
    }

    /// Returns the prefix of all service records; key order is changes before reads, earliest day first.
    #[must_use]
    pub fn all_service_records() -> Prefix {
        Prefix("service/".to_owned())
    }

    /// Returns the prefix of the service records of reads; key order is earliest day first.
    #[must_use]
    pub fn all_service_reads() -> Prefix {
        Prefix(format!("service/{READS}"))
    }

    /// Returns the UTC day in the path of a service record, a notification or daily counters.
    #[must_use]
    pub fn day(&self) -> Option<Day> {
        let (folder, rest) = self.0.split_once('/')?;
        let rest = rest.strip_prefix(READS).unwrap_or(rest);
        let day = matches!(folder, "service" | "stats" | "notifications").then(|| rest.split(['/', '.']).next())??;
        Some(Day::from(day.to_owned()))
    }

    /// Returns the key of the idempotency record of a sender token and an idempotency key.
    #[must_use]
    pub fn idempotency_record(token_id: TokenId, idempotency_key: &str) -> Self {
        Self(format!("creates/{}.json", Sha256::of(format!("{token_id}:{idempotency_key}").as_bytes())))
    }

    /// Returns the key of a schedule entry: the sweeper processes the transfer in the minute of `at`.
    #[must_use]
    pub fn schedule_entry(at: Timestamp, id: TransferId) -> Self {
        Self::scheduled(&at.minute(), id, ScheduledWork::Transfer)
    }

    /// Returns the key of a schedule entry for the read records of a transfer.
    ///
    /// The sweeper removes the records that are due.
    #[must_use]
    pub fn read_removal_entry(at: Timestamp, id: TransferId) -> Self {
        Self::scheduled(&at.minute(), id, ScheduledWork::Reads)
    }

    /// Returns the key of a schedule entry for `work` on a transfer in `minute`.
    pub(super) fn scheduled(minute: &str, id: TransferId, work: ScheduledWork) -> Self {
        let suffix = match work {
            ScheduledWork::Transfer => "",
            ScheduledWork::Reads => READ_REMOVAL,
        };
        Self::all_schedule_entries().with(&format!("{minute}/{id}{suffix}"))
    }

    /// Returns the prefix of all schedule entries; key order is earliest first.
    #[must_use]
    pub fn all_schedule_entries() -> Prefix {
        Prefix("due/".to_owned())
    }

    /// Returns the key of a day's counters.
    #[must_use]
    pub fn stats(day: &Day) -> Self {
        Self::all_stats().with(&format!("{day}.json"))
    }

    /// Returns the prefix of all daily counters; key order is oldest first.
    #[must_use]
    pub fn all_stats() -> Prefix {
        Prefix("stats/".to_owned())
    }

    /// Returns the prefix of the objects in the folder `path`, which ends with the separator.
    pub(super) fn folder(path: &str) -> Prefix {
        Prefix(path.to_owned())
    }

    /// Wraps a key listed by a backend.
    #[must_use]
    pub fn from_backend(text: String) -> Self {
        Self(text)
    }

    /// Returns the path, with `/` as separator.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last part of the path, without `.json`.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, name)| name);
        name.strip_suffix(".json").unwrap_or(name)
    }
}

impl fmt::Display for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Prefix {
    /// Returns the prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the key of the object `name` under this prefix.
    #[must_use]
    pub fn object(&self, name: &impl fmt::Display) -> StorageKey {
        self.with(&format!("{name}.json"))
    }

    /// Returns the prefix of the objects whose names start with `start`.
    #[must_use]
    pub(crate) fn with_start(&self, start: &str) -> Self {
        Self(format!("{}{start}", self.0))
    }

    fn with(&self, rest: &str) -> StorageKey {
        StorageKey(format!("{}{rest}", self.0))
    }
}

#[cfg(test)]
mod tests;
