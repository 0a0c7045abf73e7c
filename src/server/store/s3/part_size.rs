//! Part sizes of uploads through the service.

/// Size of each of the first [`FIRST_PART_COUNT`] parts in bytes (8 MiB). An upload buffers up to two parts in memory.
const FIRST_PART_SIZE: usize = 8 << 20;
/// Size of later parts in bytes (72 MiB). 10 000 parts hold the largest payload that can be configured.
const LATER_PART_SIZE: usize = 72 << 20;
/// Number of parts with the smaller size.
const FIRST_PART_COUNT: usize = 500;

/// Returns the size of the part that follows `before` parts, in bytes.
pub(super) fn part_size(before: usize) -> usize {
    if before < FIRST_PART_COUNT { FIRST_PART_SIZE } else { LATER_PART_SIZE }
}
