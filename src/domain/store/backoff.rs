//! Randomised exponential backoff for conflicting writes.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::crypto::random;

/// Total time of all retries.
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);

/// Random delays between retries, with a ceiling that doubles each time.
///
/// The randomness keeps conflicting writers from colliding again. Retries end after 10 seconds.
#[derive(Debug)]
pub(crate) struct Backoff {
    started: Instant,
    ceiling: Duration,
    max: Duration,
}

impl Backoff {
    /// Creates a backoff with a ceiling that starts at `first` and doubles up to `max`.
    pub(crate) fn between(first: Duration, max: Duration) -> Self {
        Self { started: Instant::now(), ceiling: first, max }
    }

    /// Creates the backoff for conflicting changes of one object: ceilings of 1 ms to 100 ms.
    pub(crate) fn of_changes() -> Self {
        Self::between(Duration::from_millis(1), Duration::from_millis(100))
    }

    /// Returns whether the retry timeout is over.
    pub(crate) fn is_over(&self) -> bool {
        self.started.elapsed() >= RETRY_TIMEOUT
    }

    /// Waits before the next retry.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(random::part_of(self.ceiling)).await;
        self.ceiling = (self.ceiling * 2).min(self.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_ceiling_doubles_up_to_its_maximum() {
        let millis = Duration::from_millis;
        let mut backoff = Backoff::between(millis(1), millis(3));
        let mut ceilings = Vec::new();
        for _ in 0..4 {
            ceilings.push(backoff.ceiling);
            backoff.pause().await;
        }
        assert_eq!(ceilings, [millis(1), millis(2), millis(3), millis(3)]);
        assert!(!backoff.is_over());
        backoff.started -= RETRY_TIMEOUT;
        assert!(backoff.is_over());
    }
}
