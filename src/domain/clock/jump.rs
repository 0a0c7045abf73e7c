//! Jumps of the clock: a service whose clock was set must not remove what would not have expired.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Clock;
use crate::domain::timestamp::Timestamp;

/// Difference between clock and elapsed time that counts as a jump.
const MAX_DIFFERENCE: Duration = Duration::from_hours(24);
/// Time after which a jumped clock is accepted, if it has not jumped again.
const ACCEPTED_AFTER: Duration = Duration::from_hours(1);
/// Difference that a clock may build up in that time, for example while it is corrected in small steps.
const MAX_DRIFT: Duration = Duration::from_mins(1);

/// Compares the clock with the time that has elapsed in this process.
///
/// A service that has just started trusts the clock, since it knows no earlier time.
#[derive(Debug)]
pub struct ClockGuard {
    clock: Arc<dyn Clock>,
    state: Mutex<JumpState>,
}

/// Whether the clock can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockState {
    /// The clock agrees with the elapsed time.
    Trusted,
    /// The clock has jumped.
    Jumped {
        /// Time on the jumped clock when the jump was noticed.
        noticed_at: Timestamp,
    },
}

#[derive(Debug)]
struct JumpState {
    /// Trusted difference between clock and elapsed time, in milliseconds.
    trusted: i128,
    jump: Option<Jump>,
}

#[derive(Clone, Copy, Debug)]
struct Jump {
    difference: i128,
    /// Elapsed time when the jump was noticed.
    elapsed: Duration,
    noticed_at: Timestamp,
}

impl ClockGuard {
    /// Creates a guard that trusts the present clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let trusted = difference(&*clock).0;
        Self { clock, state: Mutex::new(JumpState { trusted, jump: None }) }
    }

    /// Checks the clock. `accepted_at` is the time on the clock at which an administrator has last accepted it.
    ///
    /// A jumped clock is trusted again once it agrees with the elapsed time as before, after an hour without another
    /// jump, or when it was accepted since.
    pub fn check(&self, accepted_at: Option<Timestamp>) -> ClockState {
        let mut state = self.state.lock().expect("nothing panics while it holds this lock");
        let (difference, now, elapsed) = difference(&*self.clock);
        if is_within(difference, state.trusted, MAX_DIFFERENCE) {
            state.jump = None;
            return ClockState::Trusted;
        }
        let jump = match state.jump {
            Some(jump) if is_within(difference, jump.difference, MAX_DRIFT) => jump,
            _ => Jump { difference, elapsed, noticed_at: now },
        };
        let is_accepted = accepted_at.is_some_and(|at| at >= jump.noticed_at && at <= now.plus(MAX_DRIFT));
        if is_accepted || elapsed.saturating_sub(jump.elapsed) >= ACCEPTED_AFTER {
            *state = JumpState { trusted: difference, jump: None };
            return ClockState::Trusted;
        }
        state.jump = Some(jump);
        ClockState::Jumped { noticed_at: jump.noticed_at }
    }
}

/// Returns the difference between clock and elapsed time in milliseconds, with both.
fn difference(clock: &dyn Clock) -> (i128, Timestamp, Duration) {
    let (now, elapsed) = (clock.now(), clock.elapsed());
    (i128::from(now.as_millis()) - millis(elapsed), now, elapsed)
}

fn is_within(one: i128, other: i128, span: Duration) -> bool {
    (one - other).abs() <= millis(span)
}

fn millis(span: Duration) -> i128 {
    i128::try_from(span.as_millis()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::ManualClock;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn guarded() -> (Arc<ManualClock>, ClockGuard) {
        let clock = Arc::new(ManualClock::at(START));
        (clock.clone(), ClockGuard::new(clock))
    }

    fn jumped(state: ClockState) -> Timestamp {
        match state {
            ClockState::Jumped { noticed_at } => noticed_at,
            ClockState::Trusted => panic!("the clock is trusted"),
        }
    }

    #[test]
    fn time_that_passes_is_no_jump() {
        let (clock, guard) = guarded();
        clock.advance(HOUR * 24 * 400);
        assert_eq!(guard.check(None), ClockState::Trusted);
        clock.set(clock.now().plus(HOUR * 23));
        assert_eq!(guard.check(None), ClockState::Trusted, "a day's difference is allowed");
    }

    #[test]
    fn a_jump_in_either_direction_is_accepted_after_an_hour_of_agreement() {
        for backwards in [false, true] {
            let (clock, guard) = guarded();
            let week = HOUR * 24 * 7;
            clock.set(if backwards { START.minus(week) } else { START.plus(week) });
            assert_eq!(jumped(guard.check(None)), clock.now());
            clock.advance(HOUR / 2);
            jumped(guard.check(None));
            // Another jump starts the hour again.
            clock.set(clock.now().plus(HOUR * 48));
            jumped(guard.check(None));
            clock.advance(HOUR / 2);
            jumped(guard.check(None));
            clock.advance(HOUR / 2);
            assert_eq!(guard.check(None), ClockState::Trusted, "backwards: {backwards}");
            clock.advance(week);
            assert_eq!(guard.check(None), ClockState::Trusted);
        }
    }

    #[test]
    fn a_clock_that_is_corrected_is_trusted_at_once() {
        let (clock, guard) = guarded();
        clock.set(START.plus(HOUR * 24 * 365));
        jumped(guard.check(None));
        clock.set(START);
        assert_eq!(guard.check(None), ClockState::Trusted);
    }

    #[test]
    fn an_administrator_accepts_the_present_clock_only() {
        let (clock, guard) = guarded();
        clock.set(START.plus(HOUR * 24 * 365));
        let noticed_at = jumped(guard.check(Some(START)));
        jumped(guard.check(Some(clock.now().plus(HOUR))));
        clock.advance(HOUR / 60);
        assert_eq!(guard.check(Some(noticed_at)), ClockState::Trusted);
        // The accepted time says nothing about the next jump.
        clock.set(clock.now().plus(HOUR * 48));
        jumped(guard.check(Some(noticed_at)));
    }
}
