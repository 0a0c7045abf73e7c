//! Properties of a schedule that its seed decides in advance: servers, store, rates of faults.

use crate::domain::audit::WriteMode;
use crate::domain::crypto::random::seeded::SplitMix64;

/// Rates of faults, in 1 000 store operations, steps or requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FaultRates {
    /// Store operations that fail without effect.
    pub(super) errors: u64,
    /// Writes that take effect and return an error.
    pub(super) lost_answers: u64,
    /// Conditional writes that lose against another writer.
    pub(super) conflicts: u64,
    /// Crashes of a server, in 1 000 steps.
    pub(super) crashes: u64,
    /// Changes of a server's clock, in 1 000 steps.
    pub(super) clock_jumps: u64,
    /// Requests whose client does not wait for the response, but repeats the request at once.
    pub(super) lost_responses: u64,
}

/// Fixed properties of a schedule.
#[derive(Clone, Copy, Debug)]
pub(super) struct SchedulePlan {
    /// Number of servers that share the store.
    pub(super) servers: usize,
    /// Number of rounds of concurrent clients.
    pub(super) rounds: u64,
    /// Whether a commit is one transaction. Otherwise its parts are applied one after the other, like in a bucket.
    pub(super) transactions: bool,
    /// Whether clients upload and download by presigned URLs.
    pub(super) presigns: bool,
    pub(super) audit: WriteMode,
    /// Whether each task has a random weight, so that some are much slower than others.
    pub(super) uneven: bool,
    pub(super) rates: FaultRates,
}

impl SchedulePlan {
    pub(super) fn choose(random: &mut SplitMix64) -> Self {
        let mut one_of = |values: &[u64]| values[usize::try_from(random.next() % values.len() as u64).unwrap()];
        let rates = FaultRates {
            errors: one_of(&[0, 0, 10, 40]),
            lost_answers: one_of(&[0, 0, 15, 60]),
            conflicts: one_of(&[0, 20, 100]),
            crashes: one_of(&[0, 0, 5, 20]),
            clock_jumps: one_of(&[0, 10, 40]),
            lost_responses: one_of(&[0, 50, 200]),
        };
        Self {
            servers: if one_of(&[2, 2, 3]) == 2 { 2 } else { 3 },
            rounds: one_of(&[2, 3, 4]),
            transactions: one_of(&[0, 1]) == 1,
            presigns: one_of(&[0, 0, 1]) == 1,
            audit: if one_of(&[0, 1]) == 1 { WriteMode::Batched } else { WriteMode::Immediate },
            uneven: one_of(&[0, 1]) == 1,
            rates,
        }
    }
}
