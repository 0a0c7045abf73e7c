//! Randomness from the operating system's generator.

use std::time::Duration;

/// Returns `N` random bytes.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has a random number generator");
    bytes
}

/// Returns a unique name: 64 random bits as 16 hex digits.
#[must_use]
pub fn name() -> String {
    format!("{:016x}", u64::from_le_bytes(bytes()))
}

/// Returns a random duration between zero and `pause`: jitter that keeps retries from colliding again.
#[must_use]
pub fn part_of(pause: Duration) -> Duration {
    pause.mul_f64(f64::from(u16::from_le_bytes(bytes())) / f64::from(u16::MAX))
}
