//! The layout: which bytes of plaintext and payload belong to which segment.

use std::ops::Range;

use super::{HEADER_SIZE, SEGMENT_PLAINTEXT_SIZE, SEGMENT_SIZE, TAG_SIZE};

const HEADER: u64 = HEADER_SIZE as u64;
const TAG: u64 = TAG_SIZE as u64;
const SEGMENT: u64 = SEGMENT_SIZE as u64;
const SEGMENT_PLAINTEXT: u64 = SEGMENT_PLAINTEXT_SIZE as u64;

/// How a payload of one size is divided. All sizes and offsets are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    plaintext: u64,
    last: u32,
}

/// A plaintext that one payload cannot hold: it would take more than 2³² segments, which is 4 PiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{plaintext} bytes are more than one payload can hold")]
pub struct TooLarge {
    plaintext: u64,
}

/// A size that no payload has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no sealed payload is {sealed} bytes long")]
pub struct ImpossibleSize {
    sealed: u64,
}

/// How many bytes a payload takes that holds `plaintext` bytes, envelope included. Beyond what one payload can hold, where
/// [`Layout::of_plaintext`] refuses, the number goes on in the same way, up to [`u64::MAX`].
#[must_use]
pub const fn sealed_size(plaintext: u64) -> u64 {
    let with_header = plaintext.saturating_add(HEADER);
    // The header alone makes for one segment.
    with_header.saturating_add(TAG * with_header.div_ceil(SEGMENT_PLAINTEXT))
}

/// How many bytes of plaintext, envelope included, a payload of `sealed` bytes holds; `None` if no payload is that long.
#[must_use]
pub fn plaintext_size(sealed: u64) -> Option<u64> {
    Layout::of_sealed(sealed).ok().map(|layout| layout.plaintext_size())
}

impl Layout {
    /// The layout of a payload that holds `plaintext` bytes, envelope included.
    pub fn of_plaintext(plaintext: u64) -> Result<Self, TooLarge> {
        let last = plaintext.checked_add(HEADER).map(|bytes| bytes.div_ceil(SEGMENT_PLAINTEXT) - 1);
        match last.map(u32::try_from) {
            Some(Ok(last)) => Ok(Self { plaintext, last }),
            _ => Err(TooLarge { plaintext }),
        }
    }

    /// The layout of a payload that takes `sealed` bytes.
    pub fn of_sealed(sealed: u64) -> Result<Self, ImpossibleSize> {
        let overhead = HEADER.saturating_add(sealed.div_ceil(SEGMENT).saturating_mul(TAG));
        // Of the sizes in reach, some are no payload's: those whose last segment would be empty, or not hold its tag.
        sealed
            .checked_sub(overhead)
            .and_then(|plaintext| Self::of_plaintext(plaintext).ok())
            .filter(|layout| layout.sealed_size() == sealed)
            .ok_or(ImpossibleSize { sealed })
    }

    /// How many bytes of plaintext there are, envelope included.
    #[must_use]
    pub fn plaintext_size(&self) -> u64 {
        self.plaintext
    }

    /// How many bytes the payload takes.
    #[must_use]
    pub fn sealed_size(&self) -> u64 {
        sealed_size(self.plaintext)
    }

    /// How many segments there are, at least one.
    #[must_use]
    pub fn segments(&self) -> u64 {
        u64::from(self.last) + 1
    }

    /// The number of the last segment, counted from zero.
    #[must_use]
    pub fn last_index(&self) -> u32 {
        self.last
    }

    /// Tells whether segment `index` is the last one.
    #[must_use]
    pub fn is_last(&self, index: u32) -> bool {
        index == self.last
    }

    /// Which bytes of the plaintext segment `index` holds; an empty range at the end for segments that do not exist.
    #[must_use]
    pub fn plaintext_range(&self, index: u32) -> Range<u64> {
        let boundary = |index: u64| (index * SEGMENT_PLAINTEXT).saturating_sub(HEADER).min(self.plaintext);
        boundary(index.into())..boundary(u64::from(index) + 1)
    }

    /// Which bytes of the payload are segment `index`, header and tag included; an empty range at the end for segments
    /// that do not exist.
    #[must_use]
    pub fn sealed_range(&self, index: u32) -> Range<u64> {
        let boundary = |index: u64| (index * SEGMENT).min(self.sealed_size());
        boundary(index.into())..boundary(u64::from(index) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The most segments that can be numbered.
    const MAX_SEGMENTS: u64 = 1 << 32;
    const MAX_PLAINTEXT: u64 = MAX_SEGMENTS * SEGMENT_PLAINTEXT - HEADER;

    #[test]
    fn sizes_are_those_of_the_format() {
        for (plaintext, sealed, segments) in [
            (0, 56, 1),
            (1, 57, 1),
            (1_048_520, 1_048_576, 1),
            (1_048_521, 1_048_593, 2),
            (2_097_080, 2_097_152, 2),
            (2_097_081, 2_097_169, 3),
            (MAX_PLAINTEXT, MAX_SEGMENTS * SEGMENT, MAX_SEGMENTS),
        ] {
            let layout = Layout::of_plaintext(plaintext).unwrap();
            assert_eq!((layout.sealed_size(), layout.segments()), (sealed, segments));
            assert_eq!(Layout::of_sealed(sealed), Ok(layout));
            assert_eq!((sealed_size(plaintext), plaintext_size(sealed)), (sealed, Some(plaintext)));
        }
    }

    #[test]
    fn other_sizes_are_no_payloads() {
        for plaintext in [MAX_PLAINTEXT + 1, u64::MAX - HEADER, u64::MAX] {
            assert_eq!(Layout::of_plaintext(plaintext), Err(TooLarge { plaintext }));
            assert!(sealed_size(plaintext) > MAX_SEGMENTS * SEGMENT);
        }
        for sealed in [0, 1, 40, 55, 1_048_577, 1_048_592, 2_097_153, 2_097_168, MAX_SEGMENTS * SEGMENT + 17, u64::MAX]
        {
            assert_eq!(Layout::of_sealed(sealed), Err(ImpossibleSize { sealed }));
        }
    }

    proptest! {
        #[test]
        fn segments_follow_each_other(plaintext in 0..5 * SEGMENT) {
            let layout = Layout::of_plaintext(plaintext).unwrap();
            let (mut plain, mut sealed) = (0, 0);
            for index in 0..=layout.last_index() {
                let (inner, outer) = (layout.plaintext_range(index), layout.sealed_range(index));
                prop_assert_eq!((inner.start, outer.start), (plain, sealed));
                (plain, sealed) = (inner.end, outer.end);
                let header = if index == 0 { HEADER } else { 0 };
                prop_assert_eq!(outer.end - outer.start, header + inner.end - inner.start + TAG);
                prop_assert_eq!(layout.is_last(index), sealed == layout.sealed_size());
                prop_assert!(layout.is_last(index) || outer.end - outer.start == SEGMENT);
            }
            prop_assert_eq!((plain, sealed), (layout.plaintext_size(), layout.sealed_size()));
            prop_assert!(layout.plaintext_range(layout.last_index() + 1).is_empty());
            prop_assert!(layout.sealed_range(u32::MAX).is_empty());
        }

        #[test]
        fn a_size_gives_one_layout(size: u64, small in 0..4 * SEGMENT) {
            for size in [size, size >> 11, small] {
                if let Ok(layout) = Layout::of_plaintext(size) {
                    prop_assert_eq!(Layout::of_sealed(layout.sealed_size()), Ok(layout));
                }
                if let Ok(layout) = Layout::of_sealed(size) {
                    prop_assert_eq!(layout.sealed_size(), size);
                }
            }
        }
    }
}
