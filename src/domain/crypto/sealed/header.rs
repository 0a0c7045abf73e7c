//! The payload header: salt and nonce prefix, which make a payload's segment key and nonces unique.

use super::HEADER_SIZE;
use crate::domain::crypto::random;

/// The header: the first 40 bytes of a payload. Not secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header([u8; HEADER_SIZE]);

/// The bytes are not a payload header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a sealed payload")]
pub struct InvalidHeader;

impl Header {
    /// First byte of every header: the header's length, 40.
    const FIRST_BYTE: u8 = 0x28;

    /// Generates salt and nonce prefix of a payload with the operating system's random number generator.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = random::bytes();
        bytes[0] = Self::FIRST_BYTE;
        Self(bytes)
    }

    /// Parses a header of exactly 40 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidHeader> {
        match <[u8; HEADER_SIZE]>::try_from(bytes) {
            Ok(bytes) if bytes[0] == Self::FIRST_BYTE => Ok(Self(bytes)),
            _ => Err(InvalidHeader),
        }
    }

    /// Returns the header's bytes, as contained in the payload.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; HEADER_SIZE] {
        &self.0
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.0[1..33]
    }

    pub(super) fn nonce_prefix(&self) -> &[u8] {
        &self.0[33..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip() {
        let header = Header::random();
        assert_eq!(Header::parse(header.as_bytes()), Ok(header.clone()));
        assert_ne!(Header::random(), header);
    }

    #[test]
    fn other_bytes_are_rejected() {
        let header = Header::random();
        let mut other = *header.as_bytes();
        other[0] = 0x29;
        for bytes in [&other[..], &header.as_bytes()[..39], &[header.as_bytes().as_slice(), &[0]].concat(), &[]] {
            assert_eq!(Header::parse(bytes), Err(InvalidHeader));
        }
    }
}
