//! Reproducible pseudo-random numbers.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::time::Duration;

/// A `SplitMix64` generator: apart from timing, its seed determines a run.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Uses `SGSEND_SEED` or a new seed, and prints the seed, so that a failure can be reproduced.
    pub(crate) fn of_this_run(what: &str) -> Self {
        let seed = match std::env::var("SGSEND_SEED") {
            Ok(seed) => seed.parse().expect("a number in SGSEND_SEED"),
            Err(_) => RandomState::new().build_hasher().finish(),
        };
        println!("{what}: SGSEND_SEED={seed}");
        Self(seed)
    }

    /// Returns an independent generator.
    pub(crate) fn others(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number in this non-empty range.
    pub(crate) fn within(&mut self, range: Range<usize>) -> usize {
        let numbers = (range.end - range.start) as u64;
        range.start + usize::try_from(self.next() % numbers).expect("less than a usize")
    }

    /// Returns `true` with a probability of `times` percent.
    pub(crate) fn percent(&mut self, times: u64) -> bool {
        self.next() % 100 < times
    }

    /// Returns a random duration below `millis` milliseconds.
    pub(crate) fn millis_below(&mut self, millis: u64) -> Duration {
        Duration::from_micros(self.next() % (millis * 1_000))
    }

    pub(crate) fn bytes(&mut self, size: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..size.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(size);
        bytes
    }
}

/// Returns the number of rounds: the value of `variable`, or `usually`.
pub(crate) fn rounds(variable: &str, usually: usize) -> usize {
    std::env::var(variable).map_or(usually, |text| text.parse().expect("a number of rounds"))
}
