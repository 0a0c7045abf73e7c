//! Decryption of single segments, in any order and on several cores.

use aws_lc_rs::aead::{Aad, LessSafeKey};

use super::{Header, InvalidHeader, SEGMENT_SIZE, TAG_SIZE, header_bytes, nonce, segment_key};
use crate::domain::crypto::key::PayloadKey;

/// The payload cannot be opened. No plaintext of the failed segment is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The payload does not start with a valid header.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    /// A segment fails authentication under this key at this position; the cause cannot be determined.
    #[error("segment {index} of the payload failed authentication: wrong key, or damaged or incomplete payload")]
    Unauthentic {
        /// Zero-based index of the segment.
        index: u32,
    },
    /// The payload ends before the end of its last segment.
    #[error("the payload is truncated")]
    Truncated,
    /// The payload has data after its last segment.
    #[error("the payload has extra data after its end")]
    Extended,
}

/// Opens the segments of one payload.
pub struct Opener {
    key: LessSafeKey,
    header: Header,
}

impl Opener {
    /// Creates an opener for the payload with this header.
    #[must_use]
    pub fn new(key: &PayloadKey, header: Header) -> Self {
        Self { key: segment_key(key, &header), header }
    }

    /// Returns the payload's header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Decrypts segment `index` in place, and returns the plaintext inside `segment`.
    ///
    /// `segment` must contain the bytes of [`Layout::sealed_range`](super::Layout::sealed_range), with header and tag.
    /// If authentication fails, `segment` is overwritten with zeros.
    pub fn open<'s>(&self, index: u32, last: bool, segment: &'s mut [u8]) -> Result<&'s mut [u8], OpenError> {
        let header_len = header_bytes(index);
        // Only an empty payload has an empty segment, segment 0; senders never append an empty segment.
        let minimum = header_len + TAG_SIZE + usize::from(index > 0);
        if segment.len() < minimum || (!last && segment.len() < SEGMENT_SIZE) {
            return Err(OpenError::Truncated);
        }
        if segment.len() > SEGMENT_SIZE {
            return Err(OpenError::Extended);
        }
        let (header, sealed) = segment.split_at_mut(header_len);
        let nonce = nonce(&self.header, index, last);
        // The key was derived from `self.header`, so the header in the first segment must be identical.
        let same_header = *header == self.header.as_bytes()[..header_len];
        if !same_header || self.key.open_in_place(nonce, Aad::empty(), sealed).is_err() {
            // AES-GCM decrypts while it authenticates, so unauthenticated plaintext may remain in the buffer.
            segment.fill(0);
            return Err(OpenError::Unauthentic { index });
        }
        let end = segment.len() - TAG_SIZE;
        Ok(&mut segment[header_len..end])
    }
}
