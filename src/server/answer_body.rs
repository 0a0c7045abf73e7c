//! Bodies of answers that are payloads: counted, given up when nobody takes them, and recorded when they are over.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

/// Calls back with the number of its bytes that were taken, once, when it ends or is given up.
pub(super) struct CountedBody<F: FnOnce(u64) + Send + Unpin> {
    state: Arc<Mutex<State>>,
    when_over: Option<F>,
}

struct State {
    /// `None` once it was given up: what it holds, such as an open file, is free then.
    inner: Option<Body>,
    taken: u64,
    polls: u64,
    /// Since when there is nothing to take, and how long that was before: no fault of who takes.
    empty_since: Option<Instant>,
    empty_for: Duration,
}

impl<F: FnOnce(u64) + Send + Unpin> CountedBody<F> {
    /// Counts `inner`. It is given up when it is not asked for more for as long as `patience`, since a connection that is
    /// alive can still leave a stream standing; and when in that time fewer than `least_rate` bytes a second were taken.
    pub(super) fn new(inner: Body, patience: Duration, least_rate: u64, when_over: F) -> Self {
        let state = State { inner: Some(inner), taken: 0, polls: 0, empty_since: None, empty_for: Duration::ZERO };
        let state = Arc::new(Mutex::new(state));
        tokio::spawn(watch(Arc::downgrade(&state), patience, least_rate));
        Self { state, when_over: Some(when_over) }
    }
}

fn is_of_removed(error: &axum::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::NotFound)
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("a body that panics is not asked again")
}

async fn watch(state: Weak<Mutex<State>>, patience: Duration, least_rate: u64) {
    let (mut polls, mut taken) = (0, 0);
    loop {
        tokio::time::sleep(patience).await;
        let Some(state) = state.upgrade() else { return };
        let mut state = locked(&state);
        let waited = patience.saturating_sub(state.take_empty_time());
        let least = u128::from(least_rate) * waited.as_millis() / 1_000;
        if state.polls == polls || u128::from(state.taken - taken) < least {
            state.inner = None;
            return;
        }
        (polls, taken) = (state.polls, state.taken);
    }
}

impl State {
    /// How long there was nothing to take since this was last asked.
    fn take_empty_time(&mut self) -> Duration {
        let now = Instant::now();
        let until_now = self.empty_since.replace(now).map(|since| now - since);
        if until_now.is_none() {
            self.empty_since = None;
        }
        std::mem::take(&mut self.empty_for) + until_now.unwrap_or_default()
    }
}

impl<F: FnOnce(u64) + Send + Unpin> http_body::Body for CountedBody<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut state = locked(&self.state);
        state.polls += 1;
        let Some(inner) = &mut state.inner else {
            return Poll::Ready(Some(Err(axum::Error::new("the answer was not taken in time"))));
        };
        let polled = Pin::new(inner).poll_frame(cx);
        if polled.is_pending() {
            state.empty_since.get_or_insert_with(Instant::now);
        } else if let Some(since) = state.empty_since.take() {
            state.empty_for += since.elapsed();
        }
        match &polled {
            Poll::Ready(Some(Ok(frame))) => state.taken += frame.data_ref().map_or(0, Bytes::len) as u64,
            Poll::Ready(Some(Err(error))) if is_of_removed(error) => {
                tracing::debug!("a payload was removed as it was read");
            }
            Poll::Ready(Some(Err(error))) => tracing::error!(%error, "a payload could not be read to its end"),
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
        if let Some(when_over) = self.when_over.take() {
            when_over(locked(&self.state).taken);
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
    async fn a_body_that_nobody_takes_is_given_up() {
        let held = Arc::new(());
        let holder = held.clone();
        let pieces = stream::iter(0..9).map(move |_| {
            let _ = &holder;
            Ok::<_, Infallible>(Bytes::from_static(b"abc"))
        });
        let taken = Arc::<AtomicU64>::default();
        let told = taken.clone();
        let when_over = move |bytes| told.store(bytes, Ordering::SeqCst);
        let mut body = CountedBody::new(Body::from_stream(pieces), Duration::from_millis(20), 0, when_over);
        assert!(body.frame().await.unwrap().is_ok());
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
        assert!(body.frame().await.unwrap().is_err());
        drop(body);
        assert_eq!(taken.load(Ordering::SeqCst), 3);
    }

    const MINUTE: Duration = Duration::from_mins(1);

    fn letters() -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
        stream::repeat(Bytes::from_static(b"x")).map(Ok)
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_a_second_is_too_slow() {
        let mut body = CountedBody::new(Body::from_stream(letters()), MINUTE, 2, |_| {});
        let mut taken = 0;
        while body.frame().await.unwrap().is_ok() {
            taken += 1;
            assert!(taken < 100, "it goes on for ever");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(taken >= 59, "it was given up after {taken} s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_is_not_blamed_on_who_takes() {
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
