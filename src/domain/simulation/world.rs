//! Shared state of one schedule: store, true time, choice of faults, model and trace.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use super::model::Model;
use super::plan::{FaultRates, SchedulePlan};
use crate::domain::clock::Clock;
use crate::domain::crypto::random::seeded::SplitMix64;
use crate::domain::store::MemoryStore;
use crate::domain::timestamp::Timestamp;

/// Largest difference between a server's clock and the true time.
pub(super) const MAX_SKEW: Duration = Duration::from_mins(7);

/// Time at which schedules start.
pub(super) const START: Timestamp = Timestamp::from_millis(1_767_268_800_000);

/// Number of injected faults of each kind, and of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FaultCounts {
    pub(super) steps: u64,
    pub(super) requests: u64,
    pub(super) conflicts: u64,
    pub(super) lost_answers: u64,
    pub(super) errors: u64,
    pub(super) torn_commits: u64,
    pub(super) crashes: u64,
    pub(super) clock_jumps: u64,
    pub(super) lost_responses: u64,
}

impl FaultCounts {
    pub(super) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.requests += other.requests;
        self.conflicts += other.conflicts;
        self.lost_answers += other.lost_answers;
        self.errors += other.errors;
        self.torn_commits += other.torn_commits;
        self.crashes += other.crashes;
        self.clock_jumps += other.clock_jumps;
        self.lost_responses += other.lost_responses;
    }

    /// Returns whether each kind of fault occurred.
    pub(super) fn all_occurred(&self) -> bool {
        let Self { conflicts, lost_answers, errors, torn_commits, crashes, clock_jumps, lost_responses, .. } = *self;
        [conflicts, lost_answers, errors, torn_commits, crashes, clock_jumps, lost_responses]
            .iter()
            .all(|&count| count > 0)
    }
}

/// Fault of one store operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InjectedFault {
    None,
    /// The operation fails without effect.
    Error,
    /// The operation takes effect, but its caller gets an error.
    LostAnswer,
    /// Another writer changes the object first, without effect on its value.
    Conflict,
}

/// Kind of a store operation, for the choice of its fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    /// Write on the condition that the object still has the version that was read.
    Swap,
}

/// World of one schedule, shared by all servers and clients.
#[derive(Debug)]
pub(super) struct World {
    pub(super) memory: MemoryStore,
    pub(super) plan: SchedulePlan,
    state: Mutex<WorldState>,
}

/// Mutable part of a [`World`].
#[derive(Debug)]
pub(super) struct WorldState {
    pub(super) now: Timestamp,
    /// Difference of each server's clock from the true time, in milliseconds.
    pub(super) skews: Vec<i64>,
    /// Number of crashes of each server; operations of an earlier generation never return.
    pub(super) generations: Vec<u32>,
    pub(super) rates: FaultRates,
    pub(super) counts: FaultCounts,
    pub(super) model: Model,
    /// First violation of an invariant.
    pub(super) violation: Option<String>,
    faults: SplitMix64,
    digest: DefaultHasher,
    trace: Option<String>,
}

impl World {
    pub(super) fn new(plan: SchedulePlan, seed: u64, traces: bool) -> Arc<Self> {
        let state = WorldState {
            now: START,
            skews: vec![0; plan.servers],
            generations: vec![0; plan.servers],
            rates: plan.rates,
            counts: FaultCounts::default(),
            model: Model::default(),
            violation: None,
            faults: SplitMix64::new(seed),
            digest: DefaultHasher::new(),
            trace: traces.then(String::new),
        };
        Arc::new(Self { memory: MemoryStore::default(), plan, state: Mutex::new(state) })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, WorldState> {
        self.state.lock().expect("no code panics while holding this lock")
    }

    /// Notes one step: in the digest of the schedule, and in its trace if there is one.
    pub(super) fn note(&self, text: impl FnOnce() -> String) {
        self.state().note(text);
    }

    /// Returns what was noted, and a digest of it.
    pub(super) fn finish(&self) -> (Option<String>, u64) {
        let mut state = self.state();
        (state.trace.take(), state.digest.finish())
    }

    /// Chooses the fault of a store operation.
    pub(super) fn choose_fault(&self, access: Access) -> InjectedFault {
        let state = &mut *self.state();
        let (roll, rates) = (state.faults.next() % 1_000, state.rates);
        let (fault, count) = match access {
            Access::Read if roll < rates.errors => (InjectedFault::Error, &mut state.counts.errors),
            Access::Read => return InjectedFault::None,
            _ if roll < rates.errors => (InjectedFault::Error, &mut state.counts.errors),
            _ if roll < rates.errors + rates.lost_answers => {
                (InjectedFault::LostAnswer, &mut state.counts.lost_answers)
            }
            Access::Swap if roll < rates.errors + rates.lost_answers + rates.conflicts => {
                (InjectedFault::Conflict, &mut state.counts.conflicts)
            }
            _ => return InjectedFault::None,
        };
        *count += 1;
        fault
    }

    /// Suspends the current task once, so that the executor chooses which task runs next.
    pub(super) async fn turn(&self, server: usize, generation: u32) {
        Turn(false).await;
        if self.state().generations[server] != generation {
            std::future::pending::<()>().await;
        }
    }
}

impl WorldState {
    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        (self.counts.steps, self.now).hash(&mut self.digest);
        // Nothing that follows a violation matters.
        if let Some(trace) = self.trace.as_mut().filter(|_| self.violation.is_none()) {
            let _ = writeln!(trace, "{:>5} {:>9} s {}", self.counts.steps, self.now.since(START).as_secs(), text());
        }
    }

    /// Adds a value to the digest of the schedule.
    pub(super) fn mix(&mut self, value: &impl Hash) {
        value.hash(&mut self.digest);
    }

    /// Records a violation; only the first counts.
    pub(super) fn violate(&mut self, text: impl FnOnce() -> String) {
        if self.violation.is_none() {
            let text = text();
            self.note(|| format!("VIOLATION: {text}"));
            self.violation = Some(text);
        }
    }

    /// Checks an invariant.
    pub(super) fn check(&mut self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.violate(text);
        }
    }

    /// Returns the time that the clock of `server` shows.
    pub(super) fn clock_of(&self, server: usize) -> Timestamp {
        let skew = Duration::from_millis(self.skews[server].unsigned_abs());
        if self.skews[server] < 0 { self.now.minus(skew) } else { self.now.plus(skew) }
    }
}

/// Future that is pending once.
struct Turn(bool);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Clock of one server, with its own skew.
#[derive(Debug)]
pub(super) struct SkewedClock {
    pub(super) world: Arc<World>,
    pub(super) server: usize,
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        self.world.state().clock_of(self.server)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.world.state().now.as_millis())
    }
}
