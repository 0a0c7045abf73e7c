//! Encryption of single segments, in any order and on several cores.

use aws_lc_rs::aead::{Aad, LessSafeKey};

use super::{Header, SEGMENT_PLAINTEXT_SIZE, SEGMENT_SIZE, TAG_SIZE, header_bytes, nonce, segment_key};
use crate::domain::crypto::key::PayloadKey;

/// Authentication tag: the last 16 bytes of a segment. Not secret.
///
/// Under one key and header, equal tags mean equal segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag([u8; TAG_SIZE]);

impl Tag {
    /// Creates a tag from recorded bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; TAG_SIZE]) -> Self {
        Self(bytes)
    }

    /// Returns the raw 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; TAG_SIZE] {
        &self.0
    }
}

/// Seals the segments of one payload.
pub struct Sealer {
    key: LessSafeKey,
    header: Header,
}

impl Sealer {
    /// Starts a new payload with a random header.
    #[must_use]
    pub fn new(key: &PayloadKey) -> Self {
        Self::from_header(key, Header::random())
    }

    /// Resumes the payload with this `header`.
    ///
    /// Sending a segment again with different plaintext would reuse the nonce and reveal both plaintexts. Callers that
    /// seal a segment again must therefore compare its tag with the tag recorded before the first attempt to send.
    #[must_use]
    pub fn from_header(key: &PayloadKey, header: Header) -> Self {
        Self { key: segment_key(key, &header), header }
    }

    /// Returns the payload's header; record it to resume the payload later.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Allocates the buffer of segment `index`; the caller appends the plaintext.
    ///
    /// The buffer has the capacity of a full segment. For segment 0, it starts with placeholder bytes for the header.
    #[must_use]
    pub fn buffer(index: u32) -> Vec<u8> {
        let mut segment = Vec::with_capacity(SEGMENT_SIZE);
        segment.resize(header_bytes(index), 0);
        segment
    }

    /// Encrypts a segment in place, appends its tag, and returns the tag; `segment` is then ready to send.
    ///
    /// For segment 0, also writes the header over the placeholder from [`buffer`](Self::buffer).
    ///
    /// # Panics
    ///
    /// If segment 0 has no header placeholder, a later segment is empty, the plaintext is larger than a full segment,
    /// or a segment other than the last is not full. All of these are bugs in the caller.
    pub fn seal(&self, index: u32, last: bool, segment: &mut Vec<u8>) -> Tag {
        let header_len = header_bytes(index);
        assert!(segment.len() >= header_len, "the first segment must have a placeholder for the header");
        assert!(segment.len() <= SEGMENT_PLAINTEXT_SIZE, "a segment must not be larger than a full segment");
        assert!(last || segment.len() == SEGMENT_PLAINTEXT_SIZE, "every segment except the last must be full");
        assert!(index == 0 || !segment.is_empty(), "only the first segment may be empty");
        let (header, plaintext) = segment.split_at_mut(header_len);
        header.copy_from_slice(&self.header.as_bytes()[..header_len]);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(&self.header, index, last), Aad::empty(), plaintext)
            .expect("a segment is far below the size limit of AES-GCM");
        segment.extend_from_slice(tag.as_ref());
        let mut bytes = [0; TAG_SIZE];
        bytes.copy_from_slice(tag.as_ref());
        Tag(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::crypto::sealed::Opener;

    #[test]
    fn sealer_and_opener_are_send_and_sync() {
        fn is_send_and_sync<T: Send + Sync>() {}
        is_send_and_sync::<Sealer>();
        is_send_and_sync::<Opener>();
    }

    #[test]
    fn resuming_gives_the_same_segment_and_tag() {
        let key = PayloadKey::random();
        let sealer = Sealer::new(&key);
        let resumed = Sealer::from_header(&key, sealer.header().clone());
        let seal = |sealer: &Sealer, index, content: &[u8]| {
            let mut segment = Sealer::buffer(index);
            segment.extend_from_slice(content);
            let tag = sealer.seal(index, true, &mut segment);
            assert!(segment.ends_with(tag.as_bytes()));
            (segment, tag)
        };
        assert_eq!(seal(&sealer, 0, b"content"), seal(&resumed, 0, b"content"));
        assert_eq!(seal(&sealer, 7, b"content"), seal(&resumed, 7, b"content"));
        assert_ne!(seal(&sealer, 7, b"content").1, seal(&resumed, 7, b"Content").1);
        assert_ne!(seal(&sealer, 7, b"content").1, seal(&Sealer::new(&key), 7, b"content").1);
    }

    #[test]
    #[should_panic(expected = "every segment except the last must be full")]
    fn only_the_last_segment_may_be_short() {
        let mut segment = Sealer::buffer(0);
        Sealer::new(&PayloadKey::random()).seal(0, false, &mut segment);
    }

    #[test]
    #[should_panic(expected = "only the first segment may be empty")]
    fn later_segments_must_not_be_empty() {
        Sealer::new(&PayloadKey::random()).seal(1, true, &mut Sealer::buffer(1));
    }
}
