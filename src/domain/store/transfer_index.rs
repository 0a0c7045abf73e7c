//! Index of transfers: keys in the orders of lists, so that a page reads what it shows.
//!
//! An entry is an empty object whose key says everything. It is written with the records of the transfer's creation, so
//! a store never has an entry without a transfer, and removed before the transfer. Numbers in keys are inverted: key
//! order is newest or largest first. One more entry, of the payload's id, leads back to the transfer.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use super::{Prefix, StorageKey};
use crate::domain::id::{TokenId, TransferId};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Transfer;

const BY_TOKEN: &str = "by-token/";
const BY_TIME: &str = "by-time/";
const BY_SIZE: &str = "by-size/";

/// Number of hex digits of an inverted number.
const DIGITS: usize = 16;

/// Order of transfers that the store has an index of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexOrder {
    /// Transfers of one token, newest first.
    OfToken(TokenId),
    /// All transfers, newest first.
    ByTime,
    /// All transfers, largest encrypted size first, and newest first among equal sizes.
    BySize,
}

/// Entry of an index, parsed from its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferIndexEntry {
    /// Index of the entry.
    pub order: IndexOrder,
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Position of the entry within its index.
    pub cursor: IndexCursor,
}

/// Position in an index: the name of an entry, which sorts in the order of the index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexCursor(String);

/// Text that is not a position in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be `next` of a page in the same order")]
pub struct InvalidIndexCursor;

impl IndexOrder {
    /// Returns the prefix of the entries of the index.
    #[must_use]
    pub fn prefix(self) -> Prefix {
        match self {
            Self::OfToken(id) => StorageKey::folder(&format!("{BY_TOKEN}{id}/")),
            Self::ByTime => StorageKey::folder(BY_TIME),
            Self::BySize => StorageKey::folder(BY_SIZE),
        }
    }

    /// Returns the key of the entry at `cursor`.
    #[must_use]
    pub fn key(self, cursor: &IndexCursor) -> StorageKey {
        StorageKey::from_backend(format!("{}{}", self.prefix().as_str(), cursor.0))
    }

    /// Returns the position right before the transfers created at `at` or earlier, in an index by time.
    #[must_use]
    pub fn before(self, at: Timestamp) -> StorageKey {
        StorageKey::from_backend(format!("{}{}", self.prefix().as_str(), inverted(at.as_millis())))
    }

    fn numbers(self) -> usize {
        match self {
            Self::OfToken(_) | Self::ByTime => 1,
            Self::BySize => 2,
        }
    }
}

impl IndexCursor {
    /// Creates the position of a transfer in a list by time.
    #[must_use]
    pub fn by_time(created_at: Timestamp, id: TransferId) -> Self {
        Self(format!("{}-{id}", inverted(created_at.as_millis())))
    }

    /// Creates the position of a transfer in a list by `number`, largest first.
    ///
    /// Among equal numbers, the order is by time.
    #[must_use]
    pub fn by_number(number: u64, created_at: Timestamp, id: TransferId) -> Self {
        Self(format!("{}-{}", inverted(number), Self::by_time(created_at, id).0))
    }

    /// Returns the number of inverted numbers before the id: 1 in a list by time, else 2.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.0.matches('-').count()
    }

    fn transfer_id(&self) -> TransferId {
        let id = self.0.rsplit_once('-').and_then(|(_, id)| id.parse().ok());
        id.expect("checked when the cursor was parsed or made")
    }
}

impl FromStr for IndexCursor {
    type Err = InvalidIndexCursor;

    fn from_str(text: &str) -> Result<Self, InvalidIndexCursor> {
        let (numbers, id) = text.rsplit_once('-').ok_or(InvalidIndexCursor)?;
        id.parse::<TransferId>().map_err(|_| InvalidIndexCursor)?;
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_number = |number: &str| number.len() == DIGITS && number.bytes().all(is_hex);
        let is_valid = numbers.split('-').all(is_number) && numbers.split('-').count() <= 2;
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidIndexCursor) }
    }
}

impl fmt::Display for IndexCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TransferIndexEntry {
    /// Returns the prefixes of all indexes, the one of payloads included.
    #[must_use]
    pub fn all() -> [Prefix; 4] {
        let [by_token, by_time, by_size] = [BY_TOKEN, BY_TIME, BY_SIZE].map(StorageKey::folder);
        [by_token, by_time, by_size, StorageKey::all_payload_owners()]
    }

    /// Returns the transfer that the key of any index entry names; `None` for a key that is not one.
    #[must_use]
    pub fn transfer_of(key: &StorageKey) -> Option<TransferId> {
        let of_list = Self::from_key(key).map(|entry| entry.transfer_id);
        of_list.or_else(|| key.as_payload_owner().map(|(_, transfer)| transfer))
    }

    /// Parses an entry of a list; `None` for a key that is not one.
    #[must_use]
    pub fn from_key(key: &StorageKey) -> Option<Self> {
        let text = key.as_str();
        let (order, cursor) = if let Some(rest) = text.strip_prefix(BY_TOKEN) {
            let (token, cursor) = rest.split_once('/')?;
            (IndexOrder::OfToken(token.parse().ok()?), cursor)
        } else if let Some(cursor) = text.strip_prefix(BY_TIME) {
            (IndexOrder::ByTime, cursor)
        } else {
            (IndexOrder::BySize, text.strip_prefix(BY_SIZE)?)
        };
        let cursor: IndexCursor = cursor.parse().ok()?;
        (cursor.numbers() == order.numbers()).then(|| Self { order, transfer_id: cursor.transfer_id(), cursor })
    }

    /// Returns the keys of all entries of a transfer.
    #[must_use]
    pub fn keys_of(transfer: &Transfer) -> Vec<StorageKey> {
        let (created_at, id) = (transfer.created_at, transfer.transfer_id);
        let by_time = IndexCursor::by_time(created_at, id);
        let of_lists = [
            IndexOrder::OfToken(transfer.token_id).key(&by_time),
            IndexOrder::ByTime.key(&by_time),
            IndexOrder::BySize.key(&IndexCursor::by_number(transfer.size_bytes, created_at, id)),
        ];
        let of_payload = transfer.payload_id.map(|payload| StorageKey::payload_owner(payload, id));
        of_lists.into_iter().chain(of_payload).collect()
    }

    /// Returns all entries of a transfer as records of a commit.
    #[must_use]
    pub fn records_of(transfer: &Transfer) -> Vec<(StorageKey, Bytes)> {
        Self::keys_of(transfer).into_iter().map(|key| (key, Bytes::new())).collect()
    }
}

/// Returns a number as text that sorts in falling order.
fn inverted(number: u64) -> String {
    format!("{:0DIGITS$x}", u64::MAX - number)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::transfer::TransferTerms;

    fn transfer(size_bytes: u64, at: u64) -> Transfer {
        let terms = TransferTerms {
            size_bytes,
            lifetime: Duration::from_hours(1),
            max_downloads: None,
            access_sha256: None,
            access_from_passphrase: false,
            own_link_closed: false,
            notify: crate::domain::notification::NotificationChoice::First,
        };
        Transfer::new(TransferId::random(), TokenId::random(), &terms, Timestamp::from_millis(at))
    }

    #[test]
    fn an_entry_parses_from_its_key() {
        let transfer = transfer(7, 1_767_268_800_123);
        let (id, token) = (transfer.transfer_id, transfer.token_id);
        let keys = TransferIndexEntry::keys_of(&transfer);
        assert_eq!(keys[0].as_str(), format!("by-token/{token}/fffffe6486922984-{id}"));
        assert_eq!(keys[1].as_str(), format!("by-time/fffffe6486922984-{id}"));
        assert_eq!(keys[2].as_str(), format!("by-size/fffffffffffffff8-fffffe6486922984-{id}"));
        let orders = [IndexOrder::OfToken(token), IndexOrder::ByTime, IndexOrder::BySize];
        let payload = transfer.payload_id.unwrap();
        assert_eq!(keys[3].as_str(), format!("by-payload/{payload}-{id}"));
        for key in &keys {
            assert_eq!(TransferIndexEntry::transfer_of(key), Some(id));
        }
        for (key, order) in keys.iter().zip(orders) {
            let entry = TransferIndexEntry::from_key(key).unwrap();
            assert_eq!((entry.order, entry.transfer_id), (order, id));
            assert_eq!(order.key(&entry.cursor), *key);
            assert!(!key.belongs_to_payload());
            assert!(TransferIndexEntry::all().iter().any(|prefix| key.as_str().starts_with(prefix.as_str())));
        }
        for wrong in [
            StorageKey::transfer(id),
            StorageKey::from_backend(format!("by-time/{id}")),
            StorageKey::from_backend(keys[1].as_str().replace("by-time", "by-size")),
            StorageKey::from_backend(keys[2].as_str().replace("by-size", "by-time")),
        ] {
            assert_eq!(TransferIndexEntry::from_key(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn key_order_is_newest_and_largest_first() {
        let [old, new] = [transfer(9, 1), transfer(8, 256)];
        let [old_keys, new_keys] = [&old, &new].map(TransferIndexEntry::keys_of);
        assert!(new_keys[1] < old_keys[1]);
        assert!(old_keys[2] < new_keys[2]);
        let start = IndexOrder::ByTime.before(Timestamp::from_millis(1));
        assert!(new_keys[1] < start && start < old_keys[1]);
    }

    #[test]
    fn only_positions_of_entries_are_cursors() {
        let cursor = IndexCursor::by_number(3, Timestamp::from_millis(1), TransferId::random());
        assert_eq!(cursor.to_string().parse(), Ok(cursor.clone()));
        let text = cursor.to_string();
        for wrong in ["", "-", &text[1..], &text.to_uppercase(), &format!("{}-{text}", &text[..16]), "../x"] {
            assert_eq!(wrong.parse::<IndexCursor>(), Err(InvalidIndexCursor), "{wrong}");
        }
    }
}
