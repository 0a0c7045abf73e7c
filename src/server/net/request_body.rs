//! Request bodies: enforce a minimum rate, and drain the rest of the body after an early response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep};

use super::timeouts::Timeouts;
use crate::domain::transfers::BodyError;

/// Maximum bytes read and discarded after an early response.
///
/// Clients that send first and read later need the drain to receive the response.
const DRAIN_BYTES: usize = 8 * 1024 * 1024;
/// Maximum time to drain a body after an early response.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// A request body with a read timeout and a minimum rate.
///
/// Only time spent waiting for the client counts, so a slow store does not time out the sender.
pub(crate) struct GuardedBody {
    inner: Option<Body>,
    timeouts: Timeouts,
    /// Fires when the next bytes are overdue.
    deadline: Pin<Box<Sleep>>,
    waiting_since: Option<Instant>,
    /// Time spent waiting for the client since the last check of the rate.
    waited: Duration,
    /// Bytes received since the last check of the rate.
    received: u64,
    /// The client waits for `100 Continue` before it sends the body.
    ///
    /// Any read, even a drain, sends that response.
    awaits_continue: bool,
}

impl GuardedBody {
    pub(crate) fn new(inner: Body, timeouts: Timeouts, expects_continue: bool) -> Self {
        Self {
            inner: Some(inner),
            timeouts,
            deadline: Box::pin(tokio::time::sleep(timeouts.stall)),
            waiting_since: None,
            waited: Duration::ZERO,
            received: 0,
            awaits_continue: expects_continue,
        }
    }

    /// Counts received `bytes`, and returns whether the client keeps the minimum rate.
    fn count_received(&mut self, bytes: usize) -> bool {
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        self.received += bytes as u64;
        if self.waited < self.timeouts.stall {
            return true;
        }
        let min_bytes = u128::from(self.timeouts.min_rate) * self.waited.as_millis() / 1000;
        let fast_enough = u128::from(self.received) >= min_bytes;
        (self.waited, self.received) = (Duration::ZERO, 0);
        fast_enough
    }

    /// Returns `Ready` once the client has sent nothing for a whole timeout.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            self.deadline.as_mut().reset(now + self.timeouts.stall);
        }
        self.deadline.as_mut().poll(cx)
    }
}

impl http_body::Body for GuardedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.awaits_continue = false;
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let polled = Pin::new(inner).poll_frame(cx);
        let outcome = match polled {
            Poll::Pending => {
                ready!(self.poll_timeout(cx));
                Some(Err(BodyError::TooSlow))
            }
            Poll::Ready(None) => None,
            Poll::Ready(Some(Err(_))) => Some(Err(BodyError::ConnectionLost)),
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                Some(if self.count_received(bytes) { Ok(frame) } else { Err(BodyError::TooSlow) })
            }
        };
        if !matches!(outcome, Some(Ok(_))) {
            self.inner = None;
        }
        Poll::Ready(outcome)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for GuardedBody {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take()
            && !self.awaits_continue
            && !inner.is_end_stream()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(DRAIN_TIMEOUT, drain(inner)));
        }
    }
}

async fn drain(mut body: Body) {
    let mut remaining = DRAIN_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let Some(rest) = remaining.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
        remaining = rest;
    }
}
