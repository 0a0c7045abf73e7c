//! Response bodies that stream payloads: count bytes, and abort stalled or slow downloads.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

/// Marks responses that stream a payload; their request record is written when the body ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamedPayload;

/// Streams a payload, and reports the number of bytes sent when dropped.
///
/// The report is made once, whether the body ended, was aborted or was dropped early.
pub(crate) struct CountedBody<F: FnOnce(u64) + Send + Unpin> {
    state: Arc<Mutex<BodyState>>,
    on_end: Option<F>,
}

struct BodyState {
    /// `None` after an abort, which releases the resources of the body, such as an open file.
    inner: Option<Body>,
    bytes_sent: u64,
    polls: u64,
    /// Start of the current wait for the store.
    ///
    /// Time spent waiting for the store does not count against the client.
    store_wait_since: Option<Instant>,
    /// Sum of the finished waits for the store since the last check.
    store_wait: Duration,
}

impl<F: FnOnce(u64) + Send + Unpin> CountedBody<F> {
    /// Wraps `inner` and checks its progress each `timeout`.
    ///
    /// The body is aborted if no poll came during a whole `timeout`, since a live connection can still stall one
    /// stream, or if fewer than `min_rate` bytes per second were sent in that time.
    pub(crate) fn new(inner: Body, timeout: Duration, min_rate: u64, on_end: F) -> Self {
        let state = BodyState {
            inner: Some(inner),
            bytes_sent: 0,
            polls: 0,
            store_wait_since: None,
            store_wait: Duration::ZERO,
        };
        let state = Arc::new(Mutex::new(state));
        tokio::spawn(watch(Arc::downgrade(&state), timeout, min_rate));
        Self { state, on_end: Some(on_end) }
    }
}

/// Returns whether a read failed because the payload was removed during the download.
fn is_removed_payload(error: &axum::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::NotFound)
}

fn locked(state: &Mutex<BodyState>) -> MutexGuard<'_, BodyState> {
    state.lock().expect("a body that panicked is not polled again")
}

/// Aborts the body if a `timeout` passes without a poll, or below `min_rate` bytes per second.
async fn watch(state: Weak<Mutex<BodyState>>, timeout: Duration, min_rate: u64) {
    let (mut polls, mut bytes_sent) = (0, 0);
    loop {
        tokio::time::sleep(timeout).await;
        let Some(state) = state.upgrade() else { return };
        let mut state = locked(&state);
        let client_time = timeout.saturating_sub(state.take_store_wait());
        let min_bytes = u128::from(min_rate) * client_time.as_millis() / 1_000;
        if state.polls == polls || u128::from(state.bytes_sent - bytes_sent) < min_bytes {
            state.inner = None;
            return;
        }
        (polls, bytes_sent) = (state.polls, state.bytes_sent);
    }
}

impl BodyState {
    /// Returns the time spent waiting for the store since the previous call, and resets it.
    fn take_store_wait(&mut self) -> Duration {
        let now = Instant::now();
        let current = self.store_wait_since.replace(now).map(|since| now - since);
        if current.is_none() {
            self.store_wait_since = None;
        }
        std::mem::take(&mut self.store_wait) + current.unwrap_or_default()
    }
}

impl<F: FnOnce(u64) + Send + Unpin> http_body::Body for CountedBody<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut state = locked(&self.state);
        state.polls += 1;
        let Some(inner) = &mut state.inner else {
            return Poll::Ready(Some(Err(axum::Error::new("the client did not read the response in time"))));
        };
        let polled = Pin::new(inner).poll_frame(cx);
        if polled.is_pending() {
            state.store_wait_since.get_or_insert_with(Instant::now);
        } else if let Some(since) = state.store_wait_since.take() {
            state.store_wait += since.elapsed();
        }
        match &polled {
            Poll::Ready(Some(Ok(frame))) => state.bytes_sent += frame.data_ref().map_or(0, Bytes::len) as u64,
            Poll::Ready(Some(Err(error))) if is_removed_payload(error) => {
                tracing::debug!("payload removed during a download");
            }
            Poll::Ready(Some(Err(error))) => tracing::error!(%error, "cannot read the rest of a payload"),
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        locked(&self.state).inner.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        locked(&self.state).inner.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl<F: FnOnce(u64) + Send + Unpin> Drop for CountedBody<F> {
    fn drop(&mut self) {
        if let Some(on_end) = self.on_end.take() {
            on_end(locked(&self.state).bytes_sent);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::{StreamExt, stream};
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_stalled_body_is_aborted() {
        let resource = Arc::new(());
        let holder = resource.clone();
        let pieces = stream::iter(0..9).map(move |_| {
            let _ = &holder;
            Ok::<_, Infallible>(Bytes::from_static(b"abc"))
        });
        let reported = Arc::<AtomicU64>::default();
        let report = reported.clone();
        let on_end = move |bytes| report.store(bytes, Ordering::SeqCst);
        let mut body = CountedBody::new(Body::from_stream(pieces), Duration::from_millis(20), 0, on_end);
        assert!(body.frame().await.unwrap().is_ok());
        while Arc::strong_count(&resource) > 1 {
            tokio::task::yield_now().await;
        }
        assert!(body.frame().await.unwrap().is_err());
        drop(body);
        assert_eq!(reported.load(Ordering::SeqCst), 3);
    }

    const MINUTE: Duration = Duration::from_mins(1);

    fn letters() -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
        stream::repeat(Bytes::from_static(b"x")).map(Ok)
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_a_second_is_too_slow() {
        let mut body = CountedBody::new(Body::from_stream(letters()), MINUTE, 2, |_| {});
        let mut frames = 0;
        while body.frame().await.unwrap().is_ok() {
            frames += 1;
            assert!(frames < 100, "a slow download was not aborted");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(frames >= 59, "aborted after {frames} s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_does_not_count_against_the_client() {
        let slow = letters().then(async |letter| {
            tokio::time::sleep(Duration::from_secs(10)).await;
            letter
        });
        let mut body = CountedBody::new(Body::from_stream(slow), MINUTE, 2, |_| {});
        for _ in 0..60 {
            assert!(body.frame().await.unwrap().is_ok());
        }
    }
}
