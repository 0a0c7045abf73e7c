//! Waiting for asynchronous effects, with pauses, so that the processor is free for what is waited for.

use std::future::Future;
use std::time::{Duration, Instant};

/// Longest wait.
const LIMIT: Duration = Duration::from_secs(30);
/// Pause between two checks.
const PAUSE: Duration = Duration::from_millis(2);

/// Polls `check` until it returns a value, for at most 30 seconds.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(mut check: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(started.elapsed() < LIMIT, "the condition wasn't met within 30 s");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Polls `check` until it holds, for at most 30 seconds. `what` names the condition.
pub(crate) fn wait_until(what: &str, mut check: impl FnMut() -> bool) {
    let started = Instant::now();
    while !check() {
        assert!(started.elapsed() < LIMIT, "not within 30 s: {what}");
        std::thread::sleep(PAUSE);
    }
}
