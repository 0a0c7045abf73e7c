//! Identifiers of audit records, which contain their time.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::random;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::schema;

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

/// Bits of an id that can name a digest: the last 60, which are its last 15 hex digits.
const NAME_BITS: u64 = (1 << 60) - 1;

impl RecordId {
    /// Returns the id of the same time and counter that ends with 15 hex digits of `digest`.
    ///
    /// The object whose key begins with these digits is found from the id alone.
    #[must_use]
    pub(crate) fn naming(self, digest: &Sha256) -> Self {
        let [first, ..] = digest.as_bytes().as_chunks::<8>().0 else { unreachable!("a digest has 32 bytes") };
        let (time, random) = self.0.as_u64_pair();
        Self(Uuid::from_u64_pair(time, (random & !NAME_BITS) | (u64::from_be_bytes(*first) >> 4)))
    }

    /// Returns the digits that [`RecordId::naming`] sets, in hex. Random ones in other ids.
    #[must_use]
    pub(crate) fn named_digits(self) -> String {
        format!("{:015x}", self.0.as_u64_pair().1 & NAME_BITS)
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
        schema::pattern("A UUIDv7: ids sort by time", "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    }
}

impl utoipa::ToSchema for RecordId {}

/// Id of an event, which is an audit record.
pub type EventId = RecordId;

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_id_that_names_a_digest_keeps_its_time_and_order() {
        let ids = RecordIds::default();
        let (first, second) = (ids.next(Timestamp::from_millis(7)), ids.next(Timestamp::from_millis(7)));
        for number in 0..100_u8 {
            let digest = Sha256::of(&[number]);
            let (low, high) = (first.naming(&digest), second.naming(&Sha256::of(&[number, 1])));
            assert!(digest.to_string().starts_with(&low.named_digits()));
            assert!(!digest.to_string().starts_with(&high.named_digits()));
            assert!(low < high && first.at() == low.at());
            assert_eq!(low.to_string().parse(), Ok(low));
            assert_eq!(low.0.get_variant(), uuid::Variant::RFC4122);
        }
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
}
