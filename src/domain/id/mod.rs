//! Typed identifiers, parsed once at the API boundary.

mod payload_id;
mod record_id;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use self::payload_id::PayloadId;
pub use self::record_id::{EventId, InvalidRecordId, RecordId, RecordIds};
use crate::domain::crypto::digest::Sha256;
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
                super::wire::schema::pattern(concat!("A ", $kind), &format!("^[0-9a-f]{{{}}}$", Self::DIGITS))
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

hex_id!(
    /// Id of a target of notifications: 64 random bits, or derived from the URL of a server's webhook.
    TargetId,
    8,
    "target id"
);

impl TargetId {
    /// Derives the id of a webhook of all transfers from its URL, so that all servers use the same id.
    #[must_use]
    pub fn of_webhook(url: &str) -> Self {
        let digest = Sha256::of_parts([b"sgsend/v1/webhook-target".as_slice(), url.as_bytes()]);
        let (id, _) = digest.as_bytes().split_first_chunk().expect("a digest has 32 bytes");
        Self(*id)
    }
}

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
