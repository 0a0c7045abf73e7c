//! Watching for what happens in its own time.

use std::future::Future;
use std::time::{Duration, Instant};

/// Looks again and again until `look` finds something, for thirty seconds at most.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "waited in vain");
        tokio::task::yield_now().await;
    }
}
