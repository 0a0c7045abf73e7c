//! The payload layout: sizes, and the byte ranges of plaintext and payload in each segment.

use std::ops::Range;

use super::{HEADER_SIZE, SEGMENT_PLAINTEXT_SIZE, SEGMENT_SIZE, TAG_SIZE};

const HEADER: u64 = HEADER_SIZE as u64;
const TAG: u64 = TAG_SIZE as u64;
const SEGMENT: u64 = SEGMENT_SIZE as u64;
const SEGMENT_PLAINTEXT: u64 = SEGMENT_PLAINTEXT_SIZE as u64;

/// Division of a payload of a given size into segments. All sizes and offsets are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    plaintext: u64,
    last_index: u32,
}

/// The plaintext is too large for one payload: it needs more than 2³² segments (4 PiB).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{plaintext} bytes exceed the maximum plaintext size of one payload")]
pub struct TooLarge {
    plaintext: u64,
}

/// The size is not the size of any sealed payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sealed} bytes is not a valid size of a sealed payload")]
pub struct ImpossibleSize {
    sealed: u64,
}

/// Computes the encrypted size in bytes for `plaintext` bytes, envelope included.
///
/// Beyond the maximum plaintext size, where [`Layout::of_plaintext`] fails, the same formula applies and saturates at
/// [`u64::MAX`].
#[must_use]
pub const fn sealed_size(plaintext: u64) -> u64 {
    let with_header = plaintext.saturating_add(HEADER);
    // An empty plaintext also has one segment, because of the header.
    with_header.saturating_add(TAG * with_header.div_ceil(SEGMENT_PLAINTEXT))
}

/// Computes the plaintext size in bytes, envelope included, for an encrypted size of `sealed` bytes.
///
/// Returns `None` if `sealed` is not a valid payload size.
#[must_use]
pub fn plaintext_size(sealed: u64) -> Option<u64> {
    Layout::of_sealed(sealed).ok().map(|layout| layout.plaintext_size())
}

impl Layout {
    /// Computes the layout for `plaintext` bytes, envelope included.
    pub fn of_plaintext(plaintext: u64) -> Result<Self, TooLarge> {
        let last_index = plaintext.checked_add(HEADER).map(|bytes| bytes.div_ceil(SEGMENT_PLAINTEXT) - 1);
        match last_index.map(u32::try_from) {
            Some(Ok(last_index)) => Ok(Self { plaintext, last_index }),
            _ => Err(TooLarge { plaintext }),
        }
    }

    /// Computes the layout for an encrypted size of `sealed` bytes.
    pub fn of_sealed(sealed: u64) -> Result<Self, ImpossibleSize> {
        let overhead = HEADER.saturating_add(sealed.div_ceil(SEGMENT).saturating_mul(TAG));
        // Rejects sizes with an empty last segment, or a last segment shorter than its tag.
        sealed
            .checked_sub(overhead)
            .and_then(|plaintext| Self::of_plaintext(plaintext).ok())
            .filter(|layout| layout.sealed_size() == sealed)
            .ok_or(ImpossibleSize { sealed })
    }

    /// Returns the plaintext size, envelope included.
    #[must_use]
    pub fn plaintext_size(&self) -> u64 {
        self.plaintext
    }

    /// Returns the encrypted size.
    #[must_use]
    pub fn sealed_size(&self) -> u64 {
        sealed_size(self.plaintext)
    }

    /// Returns the number of segments, at least 1.
    #[must_use]
    pub fn segments(&self) -> u64 {
        u64::from(self.last_index) + 1
    }

    /// Returns the zero-based index of the last segment.
    #[must_use]
    pub fn last_index(&self) -> u32 {
        self.last_index
    }

    /// Returns whether segment `index` is the last one.
    #[must_use]
    pub fn is_last(&self, index: u32) -> bool {
        index == self.last_index
    }

    /// Returns the index of the segment that contains the plaintext byte at `offset`.
    ///
    /// Beyond the end, the last segment.
    #[must_use]
    pub fn segment_of(&self, offset: u64) -> u32 {
        let index = offset.saturating_add(HEADER) / SEGMENT_PLAINTEXT;
        u32::try_from(index).map_or(self.last_index, |index| index.min(self.last_index))
    }

    /// Returns the byte range of the plaintext in segment `index`.
    ///
    /// The range is empty and at the plaintext's end if the segment does not exist.
    #[must_use]
    pub fn plaintext_range(&self, index: u32) -> Range<u64> {
        let boundary = |index: u64| (index * SEGMENT_PLAINTEXT).saturating_sub(HEADER).min(self.plaintext);
        boundary(index.into())..boundary(u64::from(index) + 1)
    }

    /// Returns the byte range of segment `index` in the payload, header and tag included.
    ///
    /// The range is empty and at the payload's end if the segment does not exist.
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

    /// Maximum number of segments, limited by the `u32` index.
    const MAX_SEGMENTS: u64 = 1 << 32;
    const MAX_PLAINTEXT: u64 = MAX_SEGMENTS * SEGMENT_PLAINTEXT - HEADER;

    #[test]
    fn sizes_match_the_format() {
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
    fn invalid_sizes_are_rejected() {
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
        fn segments_are_contiguous(plaintext in 0..5 * SEGMENT) {
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
        fn layouts_round_trip_through_sizes(size: u64, small in 0..4 * SEGMENT) {
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
