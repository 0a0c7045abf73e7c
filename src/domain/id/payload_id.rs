//! Names of stored payloads.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{InvalidId, TransferId, decode_lower_hex, hex};
use crate::domain::crypto::random;

/// Mark before the digits of a random id, which tells it from the id of a transfer.
const MARK: char = 'p';

/// Identifies a stored payload: 128 random bits, which do not name the transfer.
///
/// Presigned URLs contain it. Payloads from before layout 4 of the store have the id of their transfer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PayloadId {
    bytes: [u8; 16],
    is_random: bool,
}

impl PayloadId {
    /// Generates an id with the operating system's random number generator.
    #[must_use]
    pub fn random() -> Self {
        Self { bytes: random::bytes(), is_random: true }
    }

    /// Returns the transfer whose id this is; `None` for a random id.
    #[must_use]
    pub const fn as_transfer(self) -> Option<TransferId> {
        if self.is_random { None } else { Some(TransferId(self.bytes)) }
    }

    /// Returns the digits of the id, without a mark.
    #[must_use]
    pub fn digits(self) -> String {
        hex(&self.bytes)
    }

    /// Returns the largest id that sorts before all ids with these digits; `None` for the first digits.
    #[must_use]
    pub fn before(self) -> Option<Self> {
        let bytes = u128::from_be_bytes(self.bytes).checked_sub(1)?.to_be_bytes();
        Some(Self { bytes, is_random: true })
    }
}

impl From<TransferId> for PayloadId {
    /// Returns the id of a payload that has the id of its transfer.
    fn from(id: TransferId) -> Self {
        Self { bytes: id.0, is_random: false }
    }
}

impl fmt::Display for PayloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_random { write!(f, "{MARK}{}", self.digits()) } else { f.write_str(&self.digits()) }
    }
}

impl fmt::Debug for PayloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PayloadId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (digits, is_random) = text.strip_prefix(MARK).map_or((text, false), |digits| (digits, true));
        let bytes = decode_lower_hex(digits).ok_or(InvalidId { kind: "payload id", digits: TransferId::DIGITS })?;
        Ok(Self { bytes, is_random })
    }
}

impl TryFrom<String> for PayloadId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<PayloadId> for String {
    fn from(id: PayloadId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_id_tells_whether_it_is_that_of_a_transfer() {
        let (transfer, random) = (TransferId::random(), PayloadId::random());
        let named = PayloadId::from(transfer);
        assert_eq!((named.as_transfer(), named.to_string()), (Some(transfer), transfer.to_string()));
        assert_eq!((random.as_transfer(), random.to_string()), (None, format!("p{}", random.digits())));
        for id in [named, random] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for wrong in ["", "p", "q0", &format!("pp{transfer}"), &format!("P{transfer}"), &format!("{transfer}p")] {
            assert!(wrong.parse::<PayloadId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_id_before_another_is_the_largest_with_smaller_digits() {
        let id = |text: &str| text.parse::<PayloadId>().unwrap();
        let next = id("p000000000000000000000000000000ff");
        for of in ["00000000000000000000000000000100", "p00000000000000000000000000000100"] {
            assert_eq!(id(of).before(), Some(next), "{of}");
            assert!(next < id(of));
        }
        assert_eq!(id(&"0".repeat(32)).before(), None);
    }
}
