//! Bodies of requests, held to a least rate, and read on for a while after an early answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep};

use super::settings::Patience;
use crate::domain::transfers::BodyError;

/// After an early answer so many bytes are still read and dropped, so that the answer arrives.
const DRAIN_BYTES: usize = 8 * 1024 * 1024;
/// And for so long.
const DRAIN_FOR: Duration = Duration::from_secs(2);

/// A body that must keep coming.
///
/// Only time spent waiting for the client counts, so that a slow store is not blamed on the sender.
pub(super) struct GuardedBody {
    inner: Option<Body>,
    patience: Patience,
    silence: Pin<Box<Sleep>>,
    waiting_since: Option<Instant>,
    waited: Duration,
    arrived: u64,
    /// The client waits for `100 Continue` before it sends: reading would ask for the body.
    held_back: bool,
}

impl GuardedBody {
    pub(super) fn new(inner: Body, patience: Patience, expects_continue: bool) -> Self {
        Self {
            inner: Some(inner),
            patience,
            silence: Box::pin(tokio::time::sleep(patience.silence)),
            waiting_since: None,
            waited: Duration::ZERO,
            arrived: 0,
            held_back: expects_continue,
        }
    }

    /// Notes that waiting has ended with `bytes`; `false` if too few of them came in too long a time.
    fn note_arrival(&mut self, bytes: usize) -> bool {
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        self.arrived += bytes as u64;
        if self.waited < self.patience.silence {
            return true;
        }
        let wanted = u128::from(self.patience.least_rate) * self.waited.as_millis() / 1000;
        let fast_enough = u128::from(self.arrived) >= wanted;
        (self.waited, self.arrived) = (Duration::ZERO, 0);
        fast_enough
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            self.silence.as_mut().reset(now + self.patience.silence);
        }
        self.silence.as_mut().poll(cx)
    }
}

impl http_body::Body for GuardedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.held_back = false;
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let polled = Pin::new(inner).poll_frame(cx);
        let outcome = match polled {
            Poll::Pending => {
                ready!(self.wait(cx));
                Some(Err(BodyError::TooSlow))
            }
            Poll::Ready(None) => None,
            Poll::Ready(Some(Err(_))) => Some(Err(BodyError::Broken)),
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                Some(if self.note_arrival(bytes) { Ok(frame) } else { Err(BodyError::TooSlow) })
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
            && !self.held_back
            && !inner.is_end_stream()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(DRAIN_FOR, drain(inner)));
        }
    }
}

async fn drain(mut body: Body) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
        left = rest;
    }
}
