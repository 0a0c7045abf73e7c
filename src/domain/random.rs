//! Random bytes from the operating system's generator.

use aws_lc_rs::rand;

/// Draws `N` random bytes.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("aws-lc aborts the process rather than run without entropy");
    bytes
}
