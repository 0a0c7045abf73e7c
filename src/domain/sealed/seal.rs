//! Sealing: plaintext to segments, in any order and on several cores.

use aws_lc_rs::aead::{Aad, LessSafeKey};

use super::{Header, SEGMENT_PLAINTEXT_SIZE, SEGMENT_SIZE, TAG_SIZE, header_room, nonce, segment_key};
use crate::domain::key::PayloadKey;

/// The 16 bytes at the end of a segment. Under one key and header, equal tags mean equal segments. Not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag([u8; TAG_SIZE]);

impl Tag {
    /// Takes the bytes of a tag that was recorded.
    #[must_use]
    pub fn from_bytes(bytes: [u8; TAG_SIZE]) -> Self {
        Self(bytes)
    }

    /// The raw 16 bytes.
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
    /// Begins a payload, with a new header.
    #[must_use]
    pub fn new(key: &PayloadKey) -> Self {
        Self::from_header(key, Header::random())
    }

    /// Goes on with a payload that was begun with `header`.
    ///
    /// A segment that may have left the machine must not leave it again with other plaintext, which would give both
    /// away: whoever seals a segment again compares its tag with the one recorded before anything was sent.
    #[must_use]
    pub fn from_header(key: &PayloadKey, header: Header) -> Self {
        Self { key: segment_key(key, &header), header }
    }

    /// The payload's header, to be recorded by who wants to go on with it later.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Makes the buffer that segment `index` is built in: with room for a full segment, of which the header's part, if the
    /// segment has one, is taken already. The plaintext is appended next.
    #[must_use]
    pub fn buffer(index: u32) -> Vec<u8> {
        let mut segment = Vec::with_capacity(SEGMENT_SIZE);
        segment.resize(header_room(index), 0);
        segment
    }

    /// Seals a segment in place: writes the header where segment 0 has it, encrypts the plaintext behind it, appends the
    /// tag, and gives the tag too. Then `segment` is what is sent.
    ///
    /// # Panics
    ///
    /// If `segment` holds no header room although it is the first, more than fits, or less than a full segment although it
    /// is not the last. All of these are mistakes in the calling code.
    pub fn seal(&self, index: u32, last: bool, segment: &mut Vec<u8>) -> Tag {
        let room = header_room(index);
        assert!(segment.len() >= room, "the first segment has room for the header");
        assert!(segment.len() <= SEGMENT_PLAINTEXT_SIZE, "a segment holds no more than fits");
        assert!(last || segment.len() == SEGMENT_PLAINTEXT_SIZE, "every segment but the last is full");
        assert!(index == 0 || !segment.is_empty(), "only the first segment can be empty");
        let (header, plaintext) = segment.split_at_mut(room);
        header.copy_from_slice(&self.header.as_bytes()[..room]);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(&self.header, index, last), Aad::empty(), plaintext)
            .expect("AES-GCM seals any segment, which is far below its limit");
        segment.extend_from_slice(tag.as_ref());
        let mut bytes = [0; TAG_SIZE];
        bytes.copy_from_slice(tag.as_ref());
        Tag(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sealed::Opener;

    #[test]
    fn a_sealer_is_shared_between_cores() {
        fn shared<T: Send + Sync>() {}
        shared::<Sealer>();
        shared::<Opener>();
    }

    #[test]
    fn going_on_gives_the_same_segment_and_tag() {
        let key = PayloadKey::random();
        let sealer = Sealer::new(&key);
        let again = Sealer::from_header(&key, sealer.header().clone());
        let seal = |sealer: &Sealer, index, content: &[u8]| {
            let mut segment = Sealer::buffer(index);
            segment.extend_from_slice(content);
            let tag = sealer.seal(index, true, &mut segment);
            assert!(segment.ends_with(tag.as_bytes()));
            (segment, tag)
        };
        assert_eq!(seal(&sealer, 0, b"content"), seal(&again, 0, b"content"));
        assert_eq!(seal(&sealer, 7, b"content"), seal(&again, 7, b"content"));
        assert_ne!(seal(&sealer, 7, b"content").1, seal(&again, 7, b"Content").1);
        assert_ne!(seal(&sealer, 7, b"content").1, seal(&Sealer::new(&key), 7, b"content").1);
    }

    #[test]
    #[should_panic(expected = "every segment but the last is full")]
    fn a_segment_that_is_not_full_is_the_last() {
        let mut segment = Sealer::buffer(0);
        Sealer::new(&PayloadKey::random()).seal(0, false, &mut segment);
    }

    #[test]
    #[should_panic(expected = "only the first segment can be empty")]
    fn no_later_segment_is_empty() {
        Sealer::new(&PayloadKey::random()).seal(1, true, &mut Sealer::buffer(1));
    }
}
