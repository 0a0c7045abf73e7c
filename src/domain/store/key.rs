//! The layout: the one place where a path is put together.

use std::fmt;

use crate::domain::audit::{Record, RecordKind};
use crate::domain::digest::Sha256;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::timestamp::{Day, Timestamp};

/// The path of one stored object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageKey(String);

/// The beginning of the paths of like objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl StorageKey {
    /// `store.json`: what this store is.
    #[must_use]
    pub fn header() -> Self {
        Self("store.json".to_owned())
    }

    /// Everything there is.
    #[must_use]
    pub fn everything() -> Prefix {
        Prefix(String::new())
    }

    /// Everything about every transfer.
    #[must_use]
    pub fn all_transfers() -> Prefix {
        Prefix("transfers/".to_owned())
    }

    /// What idempotency keys have made.
    #[must_use]
    pub fn all_creates() -> Prefix {
        Prefix("creates/".to_owned())
    }

    /// A transfer's state.
    #[must_use]
    pub fn transfer(id: TransferId) -> Self {
        Self(format!("transfers/{id}/meta.json"))
    }

    /// One audit record of a transfer.
    #[must_use]
    pub fn transfer_record(id: TransferId, record: &Record) -> Self {
        Self::transfer_records(id, record.kind()).with(&format!("{}.json", record.id()))
    }

    /// The audit records of one kind of a transfer, oldest first.
    #[must_use]
    pub fn transfer_records(id: TransferId, kind: RecordKind) -> Prefix {
        Prefix(format!("transfers/{id}/{}/", kind.folder()))
    }

    /// Everything about a transfer.
    #[must_use]
    pub fn everything_of(id: TransferId) -> Prefix {
        Prefix(format!("transfers/{id}/"))
    }

    /// A payload, where it is an object like the others.
    #[must_use]
    pub fn payload(id: TransferId) -> Self {
        Self(format!("transfers/{id}/payload.enc"))
    }

    /// What has arrived of a payload that is not whole, where there is no file that simply ends somewhere.
    #[must_use]
    pub fn payload_arriving(id: TransferId) -> Self {
        Self(format!("transfers/{id}/upload.json"))
    }

    /// Bytes of a payload that is not whole.
    #[must_use]
    pub fn payload_piece(id: TransferId, name: &str) -> Self {
        Self::payload_pieces(id).with(name)
    }

    /// All such bytes of one payload.
    #[must_use]
    pub fn payload_pieces(id: TransferId) -> Prefix {
        Prefix(format!("transfers/{id}/upload/"))
    }

    /// Whether this is of a payload, where payloads are objects like the others, and so no record.
    #[must_use]
    pub fn is_of_payload(&self) -> bool {
        let below = self.0.strip_prefix("transfers/").and_then(|rest| rest.split_once('/'));
        below.is_some_and(|(_, name)| matches!(name, "payload.enc" | "upload.json") || name.starts_with("upload/"))
    }

    /// The transfer that this belongs to, by the path alone.
    #[must_use]
    pub fn transfer_id(&self) -> Option<TransferId> {
        self.0.strip_prefix("transfers/")?.split_once('/')?.0.parse().ok()
    }

    /// A place in the order of keys: behind everything about a transfer, and before the next one.
    #[must_use]
    pub fn behind_transfer(id: TransferId) -> Self {
        // The character that comes after `/`.
        Self(format!("transfers/{id}0"))
    }

    /// A grant of an unlimited transfer.
    #[must_use]
    pub fn grant(id: TransferId, grant: &Sha256) -> Self {
        Self(format!("transfers/{id}/grants/{grant}.json"))
    }

    /// A sender token.
    #[must_use]
    pub fn token(id: TokenId) -> Self {
        Self::tokens().with(&format!("{id}.json"))
    }

    /// Every sender token.
    #[must_use]
    pub fn tokens() -> Prefix {
        Prefix("tokens/".to_owned())
    }

    /// A record of a request that named no existing transfer.
    #[must_use]
    pub fn service_record(record: &Record) -> Self {
        Self(format!("service/{}/{}/{}.json", record.at().day(), record.kind().folder(), record.id()))
    }

    /// Every record of requests that named no existing transfer, earliest day first.
    #[must_use]
    pub fn all_service_records() -> Prefix {
        Prefix("service/".to_owned())
    }

    /// The day in the path of a service record or of a day's counters.
    #[must_use]
    pub fn day(&self) -> Option<Day> {
        let (folder, rest) = self.0.split_once('/')?;
        let day = matches!(folder, "service" | "stats").then(|| rest.split(['/', '.']).next())??;
        Some(Day::from(day.to_owned()))
    }

    /// The transfer that an idempotency key made.
    #[must_use]
    pub fn create(token_id: TokenId, idempotency_key: &str) -> Self {
        Self(format!("creates/{}.json", Sha256::of(format!("{token_id}:{idempotency_key}").as_bytes())))
    }

    /// A hint to look at a transfer in the minute of `at`.
    #[must_use]
    pub fn due(at: Timestamp, id: TransferId) -> Self {
        Self::all_due().with(&format!("{}/{id}", at.minute()))
    }

    /// Every hint, earliest first.
    #[must_use]
    pub fn all_due() -> Prefix {
        Prefix("due/".to_owned())
    }

    /// A day's counters.
    #[must_use]
    pub fn stats(day: &Day) -> Self {
        Self::all_stats().with(&format!("{day}.json"))
    }

    /// Every day's counters, oldest first.
    #[must_use]
    pub fn all_stats() -> Prefix {
        Prefix("stats/".to_owned())
    }

    /// A key as a backend listed it.
    #[must_use]
    pub fn from_backend(text: String) -> Self {
        Self(text)
    }

    /// The path as text, with `/` between its parts.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part of the path without `.json`: an object's own name in its folder.
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
    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of the object of this name.
    #[must_use]
    pub fn object(&self, name: &impl fmt::Display) -> StorageKey {
        self.with(&format!("{name}.json"))
    }

    fn with(&self, rest: &str) -> StorageKey {
        StorageKey(format!("{}{rest}", self.0))
    }
}

/// A hint read back from its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueHint {
    /// `yyyy-mm-ddThh:mm`, UTC.
    pub minute: String,
    /// The transfer to look at.
    pub transfer_id: TransferId,
}

impl DueHint {
    /// Reads the hint that `key` is; `None` for any other key.
    #[must_use]
    pub fn from_key(key: &StorageKey) -> Option<Self> {
        let (minute, id) = key.0.strip_prefix("due/")?.split_once('/')?;
        Some(Self { minute: minute.to_owned(), transfer_id: id.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_read_back_from_its_key() {
        let id = TransferId::random();
        let key = StorageKey::due(Timestamp::from_millis(0), id);
        assert_eq!(key.as_str(), format!("due/1970-01-01T00:00/{id}"));
        assert_eq!(DueHint::from_key(&key), Some(DueHint { minute: "1970-01-01T00:00".to_owned(), transfer_id: id }));
        assert_eq!(DueHint::from_key(&StorageKey::transfer(id)), None);
    }

    #[test]
    fn payloads_are_no_records() {
        let id = TransferId::random();
        for key in [StorageKey::payload(id), StorageKey::payload_arriving(id), StorageKey::payload_piece(id, "x")] {
            assert!(key.is_of_payload(), "{key}");
            assert_eq!(key.transfer_id(), Some(id));
            assert!(key < StorageKey::behind_transfer(id));
        }
        let token = StorageKey::token(TokenId::random());
        for key in [StorageKey::transfer(id), StorageKey::grant(id, &Sha256::of(b"")), token, StorageKey::header()] {
            assert!(!key.is_of_payload(), "{key}");
        }
        assert_eq!(StorageKey::header().transfer_id(), None);
        assert!(StorageKey::behind_transfer(id).as_str() < format!("transfers/{id}a").as_str());
    }

    #[test]
    fn an_object_knows_its_name() {
        let id = TokenId::random();
        assert_eq!(StorageKey::token(id).name(), id.to_string());
        assert_eq!(StorageKey::header().name(), "store");
    }

    #[test]
    fn a_path_of_a_day_knows_it() {
        let day = Timestamp::from_millis(0).day();
        assert_eq!(StorageKey::stats(&day).day(), Some(day.clone()));
        let record = StorageKey::from_backend(format!("service/{day}/requests/x.json"));
        assert_eq!(record.day(), Some(day));
        assert_eq!(StorageKey::header().day(), None);
    }
}
