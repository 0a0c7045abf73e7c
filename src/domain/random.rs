//! Random bytes from the operating system's generator.

use std::time::Duration;

use aws_lc_rs::rand;

/// Draws `N` random bytes.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("aws-lc aborts the process rather than run without entropy");
    bytes
}

/// A name that nothing else has: 64 random bits, in hex.
#[must_use]
pub fn name() -> String {
    format!("{:016x}", u64::from_le_bytes(bytes()))
}

/// A random part of a pause, so that those who collided once do not collide again.
#[must_use]
pub fn part_of(pause: Duration) -> Duration {
    pause.mul_f64(f64::from(u16::from_le_bytes(bytes())) / f64::from(u16::MAX))
}
