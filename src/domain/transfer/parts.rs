//! How a payload is divided where clients send it to the payload store themselves.

use super::UploadKind;
use crate::domain::wire::Flow;

/// Up to this size a payload goes in one request.
const LARGEST_SINGLE: u64 = 16 << 20;
/// Parts are multiples of this, so that each holds whole segments.
const STEP: u64 = 8 << 20;
/// Parts do not grow beyond this while that leaves no more than [`MOST_PARTS`].
const LARGE_PART: u64 = 64 << 20;
/// Up to [`LARGE_PART`], parts grow so that there are no more than this.
const FEW_PARTS: u64 = 1_000;
/// How many parts S3 takes: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const MOST_PARTS: u64 = 10_000;

/// The parts of a payload: all of one size, but for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartPlan {
    size: u64,
    part_size: u64,
}

impl PartPlan {
    /// How a payload of `size` bytes is divided; `None` where it goes in one request.
    #[must_use]
    pub fn of(size: u64) -> Option<Self> {
        let least = |count: u64| size.div_ceil(count).next_multiple_of(STEP);
        let part_size = least(FEW_PARTS).min(LARGE_PART).max(least(MOST_PARTS));
        (size > LARGEST_SINGLE).then_some(Self { size, part_size })
    }

    /// Bytes in every part but the last.
    #[must_use]
    pub const fn part_size(&self) -> u64 {
        self.part_size
    }

    /// How many parts there are: at most 10 000.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.size.div_ceil(self.part_size)).expect("no payload has 2^32 parts of 8 MiB")
    }

    /// Bytes in the part of this number; `None` where there is no such part.
    #[must_use]
    pub fn length(&self, number: u32) -> Option<u64> {
        let before = u64::from(number.checked_sub(1)?).checked_mul(self.part_size)?;
        let rest = self.size.checked_sub(before).filter(|rest| *rest > 0)?;
        Some(rest.min(self.part_size))
    }
}

impl UploadKind {
    /// How a payload of `size` bytes goes to the payload store.
    #[must_use]
    pub fn presigned(size: u64) -> Self {
        if PartPlan::of(size).is_some() { Self::Multipart } else { Self::Single }
    }

    /// Which way its bytes go.
    #[must_use]
    pub const fn flow(self) -> Flow {
        match self {
            Self::Bytes => Flow::Bytes,
            Self::Single | Self::Multipart => Flow::Presigned,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::limits::{LARGEST_MAX_CONTENT_BYTES, Limits};
    use crate::domain::sealed::SEGMENT_SIZE;

    const MIB: u64 = 1 << 20;

    #[test]
    fn parts_are_as_small_as_their_number_allows() {
        let plan = |size| PartPlan::of(size).map(|plan| (plan.part_size(), plan.count()));
        assert_eq!(plan(16 * MIB), None);
        assert_eq!(plan(16 * MIB + 1), Some((8 * MIB, 3)));
        assert_eq!(plan(8_000 * MIB), Some((8 * MIB, 1_000)));
        assert_eq!(plan(8_000 * MIB + 1), Some((16 * MIB, 501)));
        assert_eq!(plan(64_000 * MIB), Some((64 * MIB, 1_000)));
        let largest = Limits::with_max_content(LARGEST_MAX_CONTENT_BYTES).unwrap().max_payload_bytes();
        assert_eq!(plan(largest), Some((72 * MIB, 8_890)));
    }

    #[test]
    fn a_number_beyond_all_parts_is_that_of_none() {
        for size in [LARGEST_SINGLE + 1, u64::MAX] {
            assert_eq!(PartPlan::of(size).unwrap().length(u32::MAX), None);
        }
    }

    proptest! {
        #[test]
        fn parts_make_up_the_payload(size in 16 * MIB + 1..(1 << 40)) {
            let plan = PartPlan::of(size).unwrap();
            let last = plan.count();
            prop_assert_eq!(plan.length(0), None);
            prop_assert_eq!(plan.length(last + 1), None);
            prop_assert_eq!(plan.length(1), Some(plan.part_size()));
            prop_assert_eq!(u64::from(last - 1) * plan.part_size() + plan.length(last).unwrap(), size);
            prop_assert_eq!(plan.part_size() % SEGMENT_SIZE as u64, 0);
        }
    }
}
