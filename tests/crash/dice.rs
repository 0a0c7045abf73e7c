//! Numbers that look random and can be had again from their seed.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::time::Duration;

/// A generator (`SplitMix64`): what a run does follows from its seed, except for what the machine does by itself.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Those of `SGSEND_SEED`, else of a new seed. It is printed, so that a failure can be tried again.
    pub(crate) fn of_this_run(what: &str) -> Self {
        let seed = match std::env::var("SGSEND_SEED") {
            Ok(seed) => seed.parse().expect("SGSEND_SEED is a number"),
            Err(_) => RandomState::new().build_hasher().finish(),
        };
        println!("{what}: SGSEND_SEED={seed}");
        Self(seed)
    }

    /// Others, whose numbers tell nothing of these.
    pub(crate) fn others(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of this range, which must hold one.
    pub(crate) fn within(&mut self, range: Range<usize>) -> usize {
        let numbers = (range.end - range.start) as u64;
        range.start + usize::try_from(self.next() % numbers).expect("less than a usize")
    }

    /// `true` this often in a hundred times.
    pub(crate) fn percent(&mut self, times: u64) -> bool {
        self.next() % 100 < times
    }

    /// A time below this many milliseconds.
    pub(crate) fn millis_below(&mut self, millis: u64) -> Duration {
        Duration::from_micros(self.next() % (millis * 1_000))
    }

    pub(crate) fn bytes(&mut self, size: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..size.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(size);
        bytes
    }
}

/// How many rounds this run is to have.
pub(crate) fn rounds(variable: &str, usually: usize) -> usize {
    std::env::var(variable).map_or(usually, |text| text.parse().expect("the number of rounds is a number"))
}
