//! Trying again while others are in the way.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::random;

/// How long something is tried again.
const KEEP_TRYING: Duration = Duration::from_secs(10);

/// Pauses between tries: random, so that those who collided once do not collide again, and longer each time, until ten
/// seconds are over.
#[derive(Debug)]
pub(crate) struct Backoff {
    started: Instant,
    ceiling: Duration,
    longest: Duration,
}

impl Backoff {
    /// Pauses that begin at up to `first` and grow to `longest`.
    pub(crate) fn between(first: Duration, longest: Duration) -> Self {
        Self { started: Instant::now(), ceiling: first, longest }
    }

    /// The pauses of those who change one object.
    pub(crate) fn of_changes() -> Self {
        Self::between(Duration::from_millis(1), Duration::from_millis(100))
    }

    /// Whether there shall be no other try.
    pub(crate) fn is_over(&self) -> bool {
        self.started.elapsed() >= KEEP_TRYING
    }

    /// Waits before another try.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(random::part_of(self.ceiling)).await;
        self.ceiling = (self.ceiling * 2).min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pauses_grow_to_the_longest() {
        let millis = Duration::from_millis;
        let mut backoff = Backoff::between(millis(1), millis(3));
        let mut ceilings = Vec::new();
        for _ in 0..4 {
            ceilings.push(backoff.ceiling);
            backoff.pause().await;
        }
        assert_eq!(ceilings, [millis(1), millis(2), millis(3), millis(3)]);
        assert!(!backoff.is_over());
        backoff.started -= KEEP_TRYING;
        assert!(backoff.is_over());
    }
}
