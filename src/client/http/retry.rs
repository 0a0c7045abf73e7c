//! RetryPolicy: how often and how long a call is tried again.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::{ClientError, Progress};
use crate::domain::crypto::random;

/// The first wait between two tries.
const FIRST_DELAY: Duration = Duration::from_millis(200);
/// The longest wait that is not asked for by the server.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The longest that a connection may stand still.
const LONGEST_STALL: Duration = Duration::from_secs(30);

/// What is left of the time without progress after which a transfer gives up.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    limit: Duration,
    since: Instant,
    delay: Duration,
}

impl RetryPolicy {
    /// RetryPolicy that ends after `limit` without progress.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit, since: Instant::now(), delay: FIRST_DELAY }
    }

    /// As much patience as this one had at its beginning, for something that begins now.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::new(self.limit)
    }

    /// Something has moved: begins anew.
    pub fn progressed(&mut self) {
        self.since = Instant::now();
        self.delay = FIRST_DELAY;
    }

    /// Does not count the last `moving`: bytes moved, although nobody has acknowledged them yet.
    pub fn was_moving(&mut self, moving: Duration) {
        self.since = (self.since + moving).min(Instant::now());
    }

    /// How long a connection may stand still.
    #[must_use]
    pub fn stall(&self) -> Duration {
        LONGEST_STALL.min(self.limit / 3)
    }

    /// How long to wait before the next try after `error`; `None` when that would take too long.
    fn next_delay(&mut self, error: &ClientError) -> Option<Duration> {
        // Between half and the whole of it, so that clients that lost the same server do not return as one.
        let jitter = u32::from(u16::from_be_bytes(random::bytes()));
        let delay = self.delay / 2 + self.delay / 2 * jitter / u32::from(u16::MAX);
        let delay = delay.max(error.retry_after().unwrap_or_default());
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
        (self.since.elapsed() + delay < self.limit).then_some(delay)
    }

    /// Waits before the next try after `error`, or gives it back when patience has run out.
    pub async fn wait_after(&mut self, error: ClientError, progress: &dyn Progress) -> Result<(), ClientError> {
        let Some(delay) = self.next_delay(&error) else { return Err(error) };
        progress.waiting(&error, delay);
        tokio::time::sleep(delay).await;
        Ok(())
    }

    /// Makes a call that may safely be made twice until it succeeds, is refused, or patience has run out.
    pub async fn call<T, F>(&mut self, progress: &dyn Progress, mut call: impl FnMut() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        loop {
            match call().await {
                Err(error) if error.is_transient() => self.wait_after(error, progress).await?,
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{ApiError, Silent};

    fn unavailable(retry_after: Option<Duration>) -> ClientError {
        ClientError::from(ApiError {
            status: 503,
            code: None,
            code_text: String::new(),
            detail: String::new(),
            request_id: None,
            limit_bytes: None,
            received_bytes: None,
            retry_after,
        })
    }

    #[test]
    fn waits_grow_and_end() {
        let mut patience = RetryPolicy::new(Duration::from_secs(20));
        let delays: Vec<_> = (0..8).map(|_| patience.next_delay(&unavailable(None)).unwrap()).collect();
        assert!(delays[0] <= FIRST_DELAY && delays[7] > Duration::from_secs(2) && delays[7] <= LONGEST_DELAY);
        assert_eq!(patience.next_delay(&unavailable(Some(Duration::from_secs(7)))), Some(Duration::from_secs(7)));
        assert_eq!(patience.next_delay(&unavailable(Some(Duration::from_secs(21)))), None);
    }

    #[test]
    fn time_in_which_bytes_move_does_not_count() {
        let mut patience = RetryPolicy::new(Duration::from_secs(20));
        patience.since = patience.since.checked_sub(Duration::from_secs(30)).unwrap();
        assert_eq!(patience.next_delay(&unavailable(None)), None);
        patience.was_moving(Duration::from_secs(25));
        assert!(patience.next_delay(&unavailable(None)).is_some());
        patience.since = patience.since.checked_sub(Duration::from_secs(15)).unwrap();
        assert_eq!(patience.next_delay(&unavailable(None)), None);
        patience.was_moving(Duration::from_mins(1));
        assert!(patience.since <= Instant::now(), "nothing is saved up");
    }

    #[tokio::test]
    async fn a_call_is_made_until_it_succeeds() {
        let mut tries = 0;
        let mut patience = RetryPolicy::new(Duration::from_secs(5));
        let outcome = patience.call(&Silent, || {
            tries += 1;
            let outcome = if tries < 3 { Err(unavailable(None)) } else { Ok(tries) };
            async move { outcome }
        });
        assert_eq!(outcome.await.unwrap(), 3);
    }
}
