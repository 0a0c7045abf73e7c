//! Typed identifiers, parsed once at the API boundary.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::timestamp::Timestamp;
use crate::domain::crypto::random;

/// The text is not an identifier of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {kind} must be {digits} lower-case hex digits")]
pub struct InvalidId {
    kind: &'static str,
    digits: usize,
}

/// Defines an identifier of `$bytes` random bytes; its text form is lower-case hex.
macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Number of hex digits in the text form.
            pub const DIGITS: usize = 2 * $bytes;

            /// Generates an id with the operating system's random number generator.
            #[must_use]
            pub fn random() -> Self {
                Self(random::bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                decode_lower_hex(text).map(Self).ok_or(InvalidId { kind: $kind, digits: Self::DIGITS })
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                super::schema::pattern(concat!("A ", $kind), &format!("^[0-9a-f]{{{}}}$", Self::DIGITS))
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

hex_id!(
    /// Identifies a transfer: 128 random bits, which can be neither guessed nor derived.
    TransferId,
    16,
    "transfer id"
);

hex_id!(
    /// Identifies a link: 128 random bits in the form of a transfer id.
    ///
    /// The id of a transfer's own link is that of the transfer.
    LinkId,
    16,
    "link id"
);

impl From<TransferId> for LinkId {
    /// Returns the id of the transfer's own link.
    fn from(id: TransferId) -> Self {
        Self(id.0)
    }
}

impl LinkId {
    /// Returns the id as that of a transfer: the transfer whose own link this is, if there is one.
    #[must_use]
    pub const fn as_transfer(self) -> TransferId {
        TransferId(self.0)
    }

    /// Returns the 16 bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

hex_id!(
    /// Identifies a sender token. Not secret: lists and audit records contain it.
    TokenId,
    8,
    "token id"
);

/// Even distribution of random ids over stripes, such as lock shards.
pub(super) trait Striped {
    /// Returns the id's stripe, in `0..stripes`; equal ids have equal stripes.
    fn stripe(&self, stripes: usize) -> usize;
}

impl Striped for TransferId {
    fn stripe(&self, stripes: usize) -> usize {
        stripe(self.0[0], self.0[1], stripes)
    }
}

impl Striped for LinkId {
    fn stripe(&self, stripes: usize) -> usize {
        stripe(self.0[0], self.0[1], stripes)
    }
}

impl Striped for TokenId {
    fn stripe(&self, stripes: usize) -> usize {
        stripe(self.0[0], self.0[1], stripes)
    }
}

fn stripe(first: u8, second: u8, stripes: usize) -> usize {
    usize::from(u16::from_be_bytes([first, second])) % stripes
}

/// Identifies one audit record: a `UUIDv7` (RFC 9562), so that ids sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct RecordId(Uuid);

impl RecordId {
    /// Returns the time in the id: that of the record, or later if the clock of its server was set back.
    #[must_use]
    pub fn at(self) -> Timestamp {
        let millis = self.0.as_bytes().iter().take(6).fold(0, |millis, byte| millis << 8 | u64::from(*byte));
        Timestamp::from_millis(millis)
    }

    /// Returns an id that sorts before all ids of records made at `at` or later.
    #[must_use]
    pub(crate) fn before(at: Timestamp) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(at.as_millis(), &[0; 10]).into_uuid())
    }
}

/// The text is not the id of an audit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record id must be a lower-case UUID with hyphens")]
pub struct InvalidRecordId;

/// Generator of strictly increasing [`RecordId`]s.
///
/// Ids increase even within one millisecond and after the clock is set back (RFC 9562, section 6.2, method 1: a counter
/// in the 12 bits of `rand_a`).
#[derive(Debug, Default)]
pub struct RecordIds(Mutex<LastRecordId>);

/// Time and counter of the last record id, and random bytes for the next ones.
#[derive(Debug, Default)]
struct LastRecordId {
    millis: u64,
    counter: u16,
    /// Unused random bytes, drawn for many ids at once. A system call for each id would slow small requests.
    random: Vec<[u8; 8]>,
}

impl RecordIds {
    /// Generates the next id, for a record made at `now`.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> RecordId {
        const COUNTER_END: u16 = 1 << 12;
        let mut last = self.0.lock().expect("no code panics while holding this lock");
        (last.millis, last.counter) = match (last.millis, last.counter) {
            (millis, _) if now.as_millis() > millis => (now.as_millis(), 0),
            (millis, counter) if counter + 1 < COUNTER_END => (millis, counter + 1),
            (millis, _) => (millis + 1, 0),
        };
        let random = last.random.pop().unwrap_or_else(|| {
            last.random.extend_from_slice(random::bytes::<1024>().as_chunks().0);
            last.random.pop().expect("1 024 bytes have just been added")
        });
        let mut tail = [0; 10];
        tail[..2].copy_from_slice(&last.counter.to_be_bytes());
        tail[2..].copy_from_slice(&random);
        RecordId(uuid::Builder::from_unix_timestamp_millis(last.millis, &tail).into_uuid())
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for RecordId {
    type Err = InvalidRecordId;

    fn from_str(text: &str) -> Result<Self, InvalidRecordId> {
        // Each record has exactly one text form of its id, so reject the other forms of a UUID.
        let id = Uuid::try_parse(text).map(Self).map_err(|_| InvalidRecordId)?;
        if id.to_string() == text { Ok(id) } else { Err(InvalidRecordId) }
    }
}

impl TryFrom<String> for RecordId {
    type Error = InvalidRecordId;

    fn try_from(text: String) -> Result<Self, InvalidRecordId> {
        text.parse()
    }
}

impl utoipa::PartialSchema for RecordId {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        super::schema::pattern("A UUIDv7: ids sort by time", "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    }
}

impl utoipa::ToSchema for RecordId {}

/// Id of an event, which is an audit record.
pub type EventId = RecordId;

/// Encodes `bytes` as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// Decodes exactly `2 * N` lower-case hex digits.
pub(crate) fn decode_lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_128_random_bits() {
        let ids: Vec<TransferId> = (0..1_000).map(|_| TransferId::random()).collect();
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        for bit in 0..128 {
            let set = ids.iter().filter(|id| id.0[bit / 8] >> (bit % 8) & 1 == 1).count();
            assert!((300..=700).contains(&set), "bit {bit} is set in {set} of 1000");
        }
    }

    #[test]
    fn ids_round_trip() {
        let id = TransferId::random();
        assert_eq!(id.to_string().len(), 32);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_ne!(id, TransferId::random());
    }

    #[test]
    fn record_ids_increase_regardless_of_the_clock() {
        let ids = RecordIds::default();
        let times = std::iter::repeat_n(5_000, 5_000).chain([4_000, 1, 6_000]);
        let generated: Vec<String> = times.map(|at| ids.next(Timestamp::from_millis(at)).to_string()).collect();
        assert!(generated.is_sorted_by(|a, b| a < b));
        assert_eq!(generated[0].as_bytes()[14], b'7', "not a version 7 UUID: {}", generated[0]);
    }

    #[test]
    fn a_record_id_contains_its_time() {
        let at = Timestamp::from_millis(1_767_268_800_123);
        let id = RecordIds::default().next(at);
        assert_eq!(id.at(), at);
        assert!(RecordId::before(at).to_string() < id.to_string());
        assert!(RecordId::before(at.plus(std::time::Duration::from_millis(1))) > id);
    }

    #[test]
    fn a_record_id_has_one_text_form() {
        let id = RecordIds::default().next(Timestamp::from_millis(1));
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(serde_json::from_value::<RecordId>(text.clone().into()).unwrap(), id);
        let simple = text.replace('-', "");
        for other in [&simple, &text.to_uppercase(), &format!("{{{text}}}"), &format!("urn:uuid:{text}")] {
            assert!(other.parse::<RecordId>().is_err(), "{other:?} was accepted");
            assert!(serde_json::from_value::<RecordId>(other.clone().into()).is_err(), "{other:?} was accepted");
        }
    }

    #[test]
    fn other_forms_are_rejected() {
        for text in [
            "",
            "0123",
            "0123456789ABCDEF",
            "0123456789abcdeg",
            "0123456789abcdef0",
            "../3456789abcdef",
            "0x23456789abcdef",
        ] {
            assert!(text.parse::<TokenId>().is_err(), "{text:?} was accepted");
        }
        assert_eq!("x".parse::<TokenId>().unwrap_err().to_string(), "a token id must be 16 lower-case hex digits");
    }
}
