//! Retry policy: exponential backoff with jitter, and a limit on the time without progress.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::{ClientError, Progress};
use crate::domain::crypto::random;

/// Delay before the first retry.
const FIRST_DELAY: Duration = Duration::from_millis(200);
/// Maximum delay between retries, unless the server requests a longer delay.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// Maximum time for retries of a command's first call while the service or its proxy restarts.
const FIRST_CALL_LIMIT: Duration = Duration::from_secs(30);
/// Maximum time for retries of a command's first call if its connection is refused. The address may be wrong.
const REFUSED_LIMIT: Duration = Duration::from_secs(10);

/// Maximum time that a connection may stay idle before its request is aborted.
const MAX_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Retries with backoff until a time limit without progress is reached.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    limit: Duration,
    since: Instant,
    delay: Duration,
}

impl RetryPolicy {
    /// Creates a policy that gives up after `limit` without progress.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit, since: Instant::now(), delay: FIRST_DELAY }
    }

    /// Returns a copy with its full time limit, starting now.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self::new(self.limit)
    }

    /// Restarts the time limit and the backoff after progress.
    pub fn reset(&mut self) {
        self.since = Instant::now();
        self.delay = FIRST_DELAY;
    }

    /// Excludes `sending_time`, in which bytes were sent but not acknowledged, from the time limit.
    pub fn exclude(&mut self, sending_time: Duration) {
        self.since = (self.since + sending_time).min(Instant::now());
    }

    /// Returns the idle timeout of a connection: a third of the time limit, at most 30 s.
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        MAX_IDLE_TIMEOUT.min(self.limit / 3)
    }

    /// Returns the delay before the retry after `error`; `None` if it would exceed the time limit.
    fn next_delay(&mut self, error: &ClientError) -> Option<Duration> {
        // Jitter between half and the full delay, so that clients of a failed server do not reconnect all at once.
        let jitter = u32::from(u16::from_be_bytes(random::bytes()));
        let delay = self.delay / 2 + self.delay / 2 * jitter / u32::from(u16::MAX);
        let delay = delay.max(error.retry_after().unwrap_or_default());
        self.delay = (self.delay * 2).min(MAX_DELAY);
        (self.since.elapsed() + delay < self.limit).then_some(delay)
    }

    /// Waits before the retry after `error`, or returns `error` once the time limit is reached.
    pub async fn wait_after(&mut self, error: ClientError, progress: &dyn Progress) -> Result<(), ClientError> {
        let Some(delay) = self.next_delay(&error) else { return Err(error) };
        progress.waiting(&error, delay);
        tokio::time::sleep(delay).await;
        Ok(())
    }

    /// Retries an idempotent first call of a command while the service, or a proxy before it, restarts.
    ///
    /// Gives up earlier than [`RetryPolicy::call`], since the address or the service may be wrong.
    pub async fn first_call<T, F>(&self, progress: &dyn Progress, mut call: impl FnMut() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut retry = Self::new(self.limit.min(FIRST_CALL_LIMIT));
        loop {
            match call().await {
                Err(error) if error.is_refused() && retry.since.elapsed() >= REFUSED_LIMIT => return Err(error),
                Err(error) if error.is_refused() || error.is_restarting() => retry.wait_after(error, progress).await?,
                outcome => return outcome,
            }
        }
    }

    /// Retries an idempotent call until it succeeds, fails permanently, or reaches the time limit.
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
    use crate::client::{NoProgress, ResponseError};

    fn unavailable(retry_after: Option<Duration>) -> ClientError {
        ClientError::from(ResponseError {
            status: 503,
            code: None,
            code_text: String::new(),
            detail: String::new(),
            request_id: None,
            limit_bytes: None,
            received_bytes: None,
            transfer_id: None,
            retry_after,
        })
    }

    #[test]
    fn delays_grow_up_to_the_time_limit() {
        let mut retry = RetryPolicy::new(Duration::from_secs(20));
        let delays: Vec<_> = (0..8).map(|_| retry.next_delay(&unavailable(None)).unwrap()).collect();
        assert!(delays[0] <= FIRST_DELAY && delays[7] > Duration::from_secs(2) && delays[7] <= MAX_DELAY);
        assert_eq!(retry.next_delay(&unavailable(Some(Duration::from_secs(7)))), Some(Duration::from_secs(7)));
        assert_eq!(retry.next_delay(&unavailable(Some(Duration::from_secs(21)))), None);
    }

    #[test]
    fn time_with_moving_bytes_is_excluded() {
        let mut retry = RetryPolicy::new(Duration::from_secs(20));
        retry.since = retry.since.checked_sub(Duration::from_secs(30)).unwrap();
        assert_eq!(retry.next_delay(&unavailable(None)), None);
        retry.exclude(Duration::from_secs(25));
        assert!(retry.next_delay(&unavailable(None)).is_some());
        retry.since = retry.since.checked_sub(Duration::from_secs(15)).unwrap();
        assert_eq!(retry.next_delay(&unavailable(None)), None);
        retry.exclude(Duration::from_mins(1));
        assert!(retry.since <= Instant::now(), "excluded time is not credited in advance");
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_call_is_retried_only_while_the_service_restarts() {
        let retry = RetryPolicy::new(Duration::from_mins(2));
        let error_of = |status| {
            let ClientError::Api(error) = unavailable(None) else { unreachable!() };
            ClientError::from(ResponseError { status, ..*error })
        };
        for (status, retried) in [(502, true), (503, true), (504, true), (500, false), (429, false), (404, false)] {
            let (mut tries, started) = (0, Instant::now());
            let outcome: Result<(), _> = retry
                .first_call(&NoProgress, || {
                    tries += 1;
                    async move { Err(error_of(status)) }
                })
                .await;
            assert!(outcome.is_err());
            assert_eq!(tries > 1, retried, "{status}");
            assert!(started.elapsed() <= FIRST_CALL_LIMIT, "{status}");
        }
    }

    #[tokio::test]
    async fn a_call_is_retried_until_it_succeeds() {
        let mut tries = 0;
        let mut retry = RetryPolicy::new(Duration::from_secs(5));
        let outcome = retry.call(&NoProgress, || {
            tries += 1;
            let outcome = if tries < 3 { Err(unavailable(None)) } else { Ok(tries) };
            async move { outcome }
        });
        assert_eq!(outcome.await.unwrap(), 3);
    }
}
