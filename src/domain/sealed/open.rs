//! Opening: segments to plaintext, in any order and on several cores.

use aws_lc_rs::aead::{Aad, LessSafeKey};

use super::{Header, InvalidHeader, SEGMENT_SIZE, TAG_SIZE, header_room, nonce, segment_key};
use crate::domain::key::PayloadKey;

/// A payload that does not open. Nothing of the segment in question is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The payload does not begin with a header.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    /// A segment is not what was sealed under this key, at this place. Which of the causes it is cannot be told.
    #[error(
        "segment {index} of the payload is not authentic: the key is wrong, or the payload is damaged or incomplete"
    )]
    Unauthentic {
        /// The segment's number, counted from zero.
        index: u32,
    },
    /// The payload ends before its last segment does.
    #[error("the payload ends too early")]
    Truncated,
    /// The payload goes on behind its last segment.
    #[error("the payload goes on behind its end")]
    Extended,
}

/// Opens the segments of one payload.
pub struct Opener {
    key: LessSafeKey,
    header: Header,
}

impl Opener {
    /// Prepares to open the payload that begins with `header`.
    #[must_use]
    pub fn new(key: &PayloadKey, header: Header) -> Self {
        Self { key: segment_key(key, &header), header }
    }

    /// The payload's header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Opens in place what [`Layout::sealed_range`](super::Layout::sealed_range) gives for segment `index`, header and tag
    /// included, and gives the plaintext within. If the segment is not authentic, `segment` is overwritten with zeros.
    pub fn open<'s>(&self, index: u32, last: bool, segment: &'s mut [u8]) -> Result<&'s mut [u8], OpenError> {
        let room = header_room(index);
        // One empty segment is an empty message; an empty one behind others is none that a sender makes.
        let minimum = room + TAG_SIZE + usize::from(index > 0);
        if segment.len() < minimum || (!last && segment.len() < SEGMENT_SIZE) {
            return Err(OpenError::Truncated);
        }
        if segment.len() > SEGMENT_SIZE {
            return Err(OpenError::Extended);
        }
        let (header, sealed) = segment.split_at_mut(room);
        let nonce = nonce(&self.header, index, last);
        // The header is part of the first segment's bytes, but this key comes from the header given before.
        let same_header = *header == self.header.as_bytes()[..room];
        if !same_header || self.key.open_in_place(nonce, Aad::empty(), sealed).is_err() {
            // AES-GCM decrypts while it authenticates, so what is left here is not relied on.
            segment.fill(0);
            return Err(OpenError::Unauthentic { index });
        }
        let end = segment.len() - TAG_SIZE;
        Ok(&mut segment[room..end])
    }
}
