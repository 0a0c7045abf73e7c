//! How a payload is divided for its store, as the service has it.

use std::ops::Range;

use crate::client::{ClientError, Origin};
use crate::domain::crypto::sealed::SEGMENT_SIZE;
use crate::domain::wire::{UploadInstruction, UploadPart};

/// The parts of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    size: u64,
    /// Bytes in every part but the last; `None` where the payload is one object, which counts as one part.
    part_size: Option<u64>,
}

impl Plan {
    /// How `instruction` divides a payload of `size` bytes. `None` where it goes through the service; an error where the
    /// parts of `origin` do not make up the payload, or do not hold whole segments.
    pub(super) fn of(instruction: &UploadInstruction, size: u64, origin: &Origin) -> Result<Option<Self>, ClientError> {
        let (part_size, count) = match instruction {
            UploadInstruction::Bytes { .. } => return Ok(None),
            UploadInstruction::Single { .. } => return Ok(Some(Self { size, part_size: None })),
            UploadInstruction::Multipart { part_size_bytes, part_count, .. } => (*part_size_bytes, *part_count),
        };
        if part_size == 0 || !part_size.is_multiple_of(SEGMENT_SIZE as u64) {
            let text = format!("{origin} wants parts of {part_size} bytes, and this version sends whole MiB only");
            return Err(ClientError::Unsupported(text));
        }
        if size.div_ceil(part_size) != u64::from(count) {
            let source = format!("{count} parts of {part_size} bytes are no payload of {size} bytes").into();
            return Err(ClientError::Answer { origin: origin.clone(), call: "create", source });
        }
        Ok(Some(Self { size, part_size: Some(part_size) }))
    }

    /// Bytes in the payload.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Whether there is one object only, and no parts that have numbers.
    pub(super) const fn is_single(&self) -> bool {
        self.part_size.is_none()
    }

    /// How many parts there are.
    pub(super) fn count(&self) -> u32 {
        let count = self.part_size.map_or(1, |part_size| self.size.div_ceil(part_size));
        u32::try_from(count).expect("the service has counted them in 32 bits")
    }

    /// Which bytes of the payload the part of this number is, counted from 1.
    pub(super) fn range(&self, number: u32) -> Range<u64> {
        let part_size = self.part_size.unwrap_or(self.size);
        let start = u64::from(number - 1) * part_size;
        start..(start + part_size).min(self.size)
    }

    /// The parts that are not in these ranges of numbers, which are anybody's.
    pub(super) fn missing(&self, mut received: Vec<[u32; 2]>) -> Vec<u32> {
        received.sort_unstable();
        let mut missing = Vec::new();
        let (mut next, end) = (1, self.count() + 1);
        for [first, last] in received {
            missing.extend(next..first.min(end));
            next = next.max(last.saturating_add(1));
        }
        missing.extend(next..end);
        missing
    }
}

/// The signed parts of an instruction: the only object's is number 1.
pub(super) fn parts_of(instruction: UploadInstruction) -> Vec<UploadPart> {
    match instruction {
        UploadInstruction::Bytes { .. } => Vec::new(),
        UploadInstruction::Single { request, .. } => vec![UploadPart { number: 1, request }],
        UploadInstruction::Multipart { parts, .. } => parts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::timestamp::Timestamp;

    const MIB: u64 = 1 << 20;

    fn plan(part_size_bytes: u64, part_count: u32, size: u64) -> Result<Option<Plan>, ClientError> {
        let instruction = UploadInstruction::Multipart {
            part_size_bytes,
            part_count,
            parts: Vec::new(),
            url_expires_at: Timestamp::from_millis(0),
            fallback_url: None,
        };
        Plan::of(&instruction, size, &Origin::of(&"https://send.example".parse().unwrap()))
    }

    #[test]
    fn parts_make_up_the_payload() {
        let plan = plan(2 * MIB, 3, 5 * MIB + 7).unwrap().unwrap();
        assert_eq!(plan.count(), 3);
        let ranges: Vec<_> = (1..=3).map(|number| plan.range(number)).collect();
        assert_eq!(ranges, [0..2 * MIB, 2 * MIB..4 * MIB, 4 * MIB..5 * MIB + 7]);
    }

    #[test]
    fn parts_that_do_not_are_refused() {
        for (part_size, count, size) in
            [(2 * MIB, 2, 5 * MIB), (2 * MIB, 4, 5 * MIB), (2 * MIB, 0, 1), (MIB, 1, u64::MAX)]
        {
            assert!(matches!(plan(part_size, count, size), Err(ClientError::Answer { .. })), "{part_size} {count}");
        }
        for part_size in [0, 1, MIB - 1, 3 * MIB / 2] {
            assert!(matches!(plan(part_size, 4, 4 * MIB), Err(ClientError::Unsupported(_))), "{part_size}");
        }
    }

    #[test]
    fn what_has_not_arrived_is_missing() {
        let plan = plan(MIB, 9, 9 * MIB).unwrap().unwrap();
        assert_eq!(plan.missing(vec![]), (1..=9).collect::<Vec<_>>());
        assert_eq!(plan.missing(vec![[2, 3], [7, 7]]), [1, 4, 5, 6, 8, 9]);
        assert_eq!(plan.missing(vec![[1, 9]]), [0; 0]);
        // Whatever a server says.
        assert_eq!(plan.missing(vec![[8, u32::MAX], [5, 2], [0, 1], [4, 4], [2, 3]]), [5, 6, 7]);
    }
}
