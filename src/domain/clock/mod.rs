//! The clock abstraction: the only source of the current time.

mod jump;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use jump::{ClockGuard, ClockState};

use super::timestamp::Timestamp;

/// Source of the current time. Time-dependent code takes a [`Timestamp`] or a `Clock`.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;

    /// Returns the time since a fixed point before the start of this process, which nobody can set.
    ///
    /// It includes the time that the machine was suspended, where the system provides that.
    fn elapsed(&self) -> Duration;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().plus(since_epoch)
    }

    fn elapsed(&self) -> Duration {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let clock = rustix::time::ClockId::Monotonic;
        rustix::time::clock_gettime(clock).try_into().unwrap_or_default()
    }
}

/// A clock that changes only when set, for tests of expiry.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicU64,
    elapsed: AtomicU64,
}

impl ManualClock {
    /// Creates a clock set to `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { now: AtomicU64::new(now.as_millis()), elapsed: AtomicU64::new(0) }
    }

    /// Sets the clock to `now`, earlier or later, as an administrator does: no time passes.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Lets `by` pass.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
        self.elapsed.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elapsed_time_of_the_system_advances() {
        let (before, start) = (SystemClock.elapsed(), std::time::Instant::now());
        while SystemClock.elapsed() == before {
            assert!(start.elapsed() < Duration::from_secs(10), "the clock does not advance");
        }
        assert!(before > Duration::ZERO && SystemClock.elapsed() > before);
    }
}
