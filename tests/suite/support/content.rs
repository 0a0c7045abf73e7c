//! Test content.

/// Returns content in which no two parts are alike.
pub(crate) fn content(length: u32) -> Vec<u8> {
    (0..length).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}
