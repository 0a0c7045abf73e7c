//! Polling for asynchronous effects.

use std::future::Future;
use std::time::{Duration, Instant};

/// Polls `check` until it returns a value, for at most 30 seconds.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(mut check: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "the condition wasn't met within 30 s");
        tokio::task::yield_now().await;
    }
}
