//! Division of a payload into parts for presigned multipart uploads.

use super::UploadKind;
use crate::domain::wire::Flow;

/// Maximum encrypted size of a payload uploaded in a single request: 16 MiB.
const MAX_SINGLE_BYTES: u64 = 16 << 20;
/// Granularity of part sizes: 8 MiB, so that each part contains whole segments.
const PART_SIZE_STEP: u64 = 8 << 20;
/// Preferred maximum part size, 64 MiB. Parts grow beyond this size only if there would be more than [`MAX_PARTS`]
/// parts.
const PREFERRED_MAX_PART_SIZE: u64 = 64 << 20;
/// Preferred maximum number of parts. To stay below this number, parts grow up to [`PREFERRED_MAX_PART_SIZE`].
const PREFERRED_MAX_PARTS: u64 = 1_000;
/// Maximum number of parts in S3: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const MAX_PARTS: u64 = 10_000;

/// Parts of a payload: all of the same size, except for a smaller last part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartPlan {
    size: u64,
    part_size: u64,
}

impl PartPlan {
    /// Divides a payload of `size` encrypted bytes; `None` if the payload is uploaded in a single request.
    #[must_use]
    pub fn of(size: u64) -> Option<Self> {
        let size_for = |count: u64| size.div_ceil(count).next_multiple_of(PART_SIZE_STEP);
        let part_size = size_for(PREFERRED_MAX_PARTS).min(PREFERRED_MAX_PART_SIZE).max(size_for(MAX_PARTS));
        (size > MAX_SINGLE_BYTES).then_some(Self { size, part_size })
    }

    /// Returns the size in bytes of each part except the last.
    #[must_use]
    pub const fn part_size(&self) -> u64 {
        self.part_size
    }

    /// Returns the number of parts, at most 10 000.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.size.div_ceil(self.part_size)).expect("no payload has 2^32 parts of 8 MiB")
    }

    /// Returns the size in bytes of a part, numbered from 1; `None` if the part does not exist.
    #[must_use]
    pub fn length(&self, number: u32) -> Option<u64> {
        let before = u64::from(number.checked_sub(1)?).checked_mul(self.part_size)?;
        let rest = self.size.checked_sub(before).filter(|rest| *rest > 0)?;
        Some(rest.min(self.part_size))
    }
}

impl UploadKind {
    /// Returns the presigned upload method for a payload of `size` encrypted bytes.
    #[must_use]
    pub fn presigned(size: u64) -> Self {
        if PartPlan::of(size).is_some() { Self::Multipart } else { Self::Single }
    }

    /// Returns whether bytes pass through this service or directly to the payload store.
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
    use crate::domain::crypto::sealed::SEGMENT_SIZE;
    use crate::domain::limits::{LARGEST_MAX_CONTENT_BYTES, Limits};

    const MIB: u64 = 1 << 20;

    #[test]
    fn parts_grow_to_limit_their_number() {
        let plan = |size| PartPlan::of(size).map(|plan| (plan.part_size(), plan.count()));
        assert_eq!(plan(16 * MIB), None);
        assert_eq!(plan(16 * MIB + 1), Some((8 * MIB, 3)));
        assert_eq!(plan(8_000 * MIB), Some((8 * MIB, 1_000)));
        assert_eq!(plan(8_000 * MIB + 1), Some((16 * MIB, 501)));
        assert_eq!(plan(64_000 * MIB), Some((64 * MIB, 1_000)));
        let largest = Limits::with_max_content(LARGEST_MAX_CONTENT_BYTES).unwrap().max_payload_bytes();
        assert_eq!(plan(largest), Some((72 * MIB, 8_989)));
    }

    #[test]
    fn a_part_number_beyond_the_last_part_has_no_length() {
        for size in [MAX_SINGLE_BYTES + 1, u64::MAX] {
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
