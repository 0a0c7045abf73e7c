//! Randomness from the operating system's generator.

use std::time::Duration;

/// Returns `N` random bytes.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[cfg(test)]
    if seeded::fill(&mut bytes) {
        return bytes;
    }
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

#[cfg(test)]
pub(crate) mod seeded {
    //! Reproducible randomness for simulations: replaces the operating system's generator in one thread.

    use std::cell::Cell;

    thread_local! {
        static GENERATOR: Cell<Option<SplitMix64>> = const { Cell::new(None) };
    }

    /// A `SplitMix64` generator, which its seed determines.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct SplitMix64(u64);

    impl SplitMix64 {
        pub(crate) const fn new(seed: u64) -> Self {
            Self(seed)
        }

        pub(crate) const fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }
    }

    /// Ends the seeded randomness of this thread when dropped.
    #[must_use]
    pub(crate) struct Seeded(());

    /// Generates the random bytes of this thread from `seed` until the result is dropped.
    pub(crate) fn with_seed(seed: u64) -> Seeded {
        GENERATOR.set(Some(SplitMix64::new(seed)));
        Seeded(())
    }

    impl Drop for Seeded {
        fn drop(&mut self) {
            GENERATOR.set(None);
        }
    }

    /// Fills `bytes` and returns `true` if this thread has a seed.
    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        let Some(mut generator) = GENERATOR.get() else { return false };
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&generator.next().to_le_bytes()[..chunk.len()]);
        }
        GENERATOR.set(Some(generator));
        true
    }
}
