//! Division of a payload into parts for its store, as specified by the service.

use std::ops::Range;

use crate::client::{ClientError, Origin};
use crate::domain::crypto::sealed::SEGMENT_SIZE;
use crate::domain::wire::{UploadInstruction, UploadPart};

/// Part layout of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UploadPlan {
    size: u64,
    /// Size of every part but the last, in bytes; `None` for a single object, which counts as one part.
    part_size: Option<u64>,
}

impl UploadPlan {
    /// Validates how `instruction` divides a payload of `size` bytes. Returns `None` for an upload through the service.
    ///
    /// # Errors
    /// Fails if the parts named by `origin` do not add up to the payload, or do not consist of whole segments.
    pub(super) fn of(instruction: &UploadInstruction, size: u64, origin: &Origin) -> Result<Option<Self>, ClientError> {
        let (part_size, count) = match instruction {
            UploadInstruction::Bytes { .. } => return Ok(None),
            UploadInstruction::Single { .. } => return Ok(Some(Self { size, part_size: None })),
            UploadInstruction::Multipart { part_size_bytes, part_count, .. } => (*part_size_bytes, *part_count),
        };
        if part_size == 0 || !part_size.is_multiple_of(SEGMENT_SIZE as u64) {
            let text =
                format!("{origin} requires parts of {part_size} bytes, this version supports only multiples of 1 MiB");
            return Err(ClientError::Unsupported(text));
        }
        if size.div_ceil(part_size) != u64::from(count) {
            let source =
                format!("{count} parts of {part_size} bytes do not add up to a payload of {size} bytes").into();
            return Err(ClientError::InvalidResponse { origin: origin.clone(), call: "create", source });
        }
        Ok(Some(Self { size, part_size: Some(part_size) }))
    }

    /// Returns the encrypted size of the payload, in bytes.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Returns whether the payload is a single object without part numbers.
    pub(super) const fn is_single(&self) -> bool {
        self.part_size.is_none()
    }

    /// Returns the number of parts.
    pub(super) fn count(&self) -> u32 {
        let count = self.part_size.map_or(1, |part_size| self.size.div_ceil(part_size));
        u32::try_from(count).expect("the part count was checked against a 32-bit number")
    }

    /// Returns the byte range of part `number`, counted from 1.
    pub(super) fn range(&self, number: u32) -> Range<u64> {
        let part_size = self.part_size.unwrap_or(self.size);
        let start = u64::from(number - 1) * part_size;
        start..(start + part_size).min(self.size)
    }

    /// Returns the parts outside the received ranges of part numbers. The ranges are untrusted.
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

/// Returns the presigned parts of an instruction; a single object is part 1.
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

    fn plan(part_size_bytes: u64, part_count: u32, size: u64) -> Result<Option<UploadPlan>, ClientError> {
        let instruction = UploadInstruction::Multipart {
            part_size_bytes,
            part_count,
            parts: Vec::new(),
            url_expires_at: Timestamp::from_millis(0),
            fallback_url: None,
        };
        UploadPlan::of(&instruction, size, &Origin::of(&"https://send.example".parse().unwrap()))
    }

    #[test]
    fn parts_cover_the_payload() {
        let plan = plan(2 * MIB, 3, 5 * MIB + 7).unwrap().unwrap();
        assert_eq!(plan.count(), 3);
        let ranges: Vec<_> = (1..=3).map(|number| plan.range(number)).collect();
        assert_eq!(ranges, [0..2 * MIB, 2 * MIB..4 * MIB, 4 * MIB..5 * MIB + 7]);
    }

    #[test]
    fn invalid_part_layouts_are_rejected() {
        for (part_size, count, size) in
            [(2 * MIB, 2, 5 * MIB), (2 * MIB, 4, 5 * MIB), (2 * MIB, 0, 1), (MIB, 1, u64::MAX)]
        {
            assert!(
                matches!(plan(part_size, count, size), Err(ClientError::InvalidResponse { .. })),
                "{part_size} {count}"
            );
        }
        for part_size in [0, 1, MIB - 1, 3 * MIB / 2] {
            assert!(matches!(plan(part_size, 4, 4 * MIB), Err(ClientError::Unsupported(_))), "{part_size}");
        }
    }

    #[test]
    fn parts_not_received_are_missing() {
        let plan = plan(MIB, 9, 9 * MIB).unwrap().unwrap();
        assert_eq!(plan.missing(vec![]), (1..=9).collect::<Vec<_>>());
        assert_eq!(plan.missing(vec![[2, 3], [7, 7]]), [1, 4, 5, 6, 8, 9]);
        assert_eq!(plan.missing(vec![[1, 9]]), [0; 0]);
        // Overlapping, reversed and out-of-range values from a server.
        assert_eq!(plan.missing(vec![[8, u32::MAX], [5, 2], [0, 1], [4, 4], [2, 3]]), [5, 6, 7]);
    }
}
