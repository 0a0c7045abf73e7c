//! The header: what makes the segment key and the nonces of one payload its own.

use super::HEADER_SIZE;
use crate::domain::random;

/// The first 40 bytes of a payload. Not secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header([u8; HEADER_SIZE]);

/// Bytes that no payload begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a sealed payload")]
pub struct InvalidHeader;

impl Header {
    /// The header's own length, which it begins with.
    const FIRST_BYTE: u8 = 0x28;

    /// Draws salt and nonce prefix for a new payload from the operating system's generator.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = random::bytes();
        bytes[0] = Self::FIRST_BYTE;
        Self(bytes)
    }

    /// Reads a header of exactly 40 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidHeader> {
        match <[u8; HEADER_SIZE]>::try_from(bytes) {
            Ok(bytes) if bytes[0] == Self::FIRST_BYTE => Ok(Self(bytes)),
            _ => Err(InvalidHeader),
        }
    }

    /// The header as it is sent.
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
    fn a_header_is_read_as_it_is_written() {
        let header = Header::random();
        assert_eq!(Header::parse(header.as_bytes()), Ok(header.clone()));
        assert_ne!(Header::random(), header);
    }

    #[test]
    fn other_bytes_are_refused() {
        let header = Header::random();
        let mut other = *header.as_bytes();
        other[0] = 0x29;
        for bytes in [&other[..], &header.as_bytes()[..39], &[header.as_bytes().as_slice(), &[0]].concat(), &[]] {
            assert_eq!(Header::parse(bytes), Err(InvalidHeader));
        }
    }
}
