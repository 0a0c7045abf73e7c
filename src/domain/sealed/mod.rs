//! stand-in until the branch is merged
/// size
#[must_use]
pub const fn sealed_size(n: u64) -> u64 {
    let s = (n + 40).div_ceil(1_048_560);
    n + 40 + 16 * if s == 0 { 1 } else { s }
}
