//! HTTP/2 watchdog: detects connections without requests, or with a client that stopped reading.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::timeouts::Timeouts;

/// Checks per timeout.
const CHECKS_PER_TIMEOUT: u32 = 4;

/// Tracks the open requests (streams) of one HTTP/2 connection.
#[derive(Clone)]
pub(crate) struct StreamWatchdog(Arc<Mutex<Open>>);

/// The open requests of a connection.
struct Open {
    /// By stream: start of the wait for the client to read; `None` while the client waits.
    waiting_since: HashMap<u64, Option<Instant>>,
    /// Number of requests so far.
    started: u64,
    /// End of the last request, or the start of the connection.
    idle_since: Instant,
}

/// The reasons to close a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// No request is open, and the last one ended more than a timeout ago.
    Idle,
    /// No request arrived within a timeout after the connection was opened.
    NoRequest,
    /// The client stopped reading a response.
    Stalled,
}

/// One open request; ends on drop, after its response was read or aborted.
pub(crate) struct Stream {
    streams: StreamWatchdog,
    number: u64,
}

impl StreamWatchdog {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Open { waiting_since: HashMap::new(), started: 0, idle_since: Instant::now() })))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }

    /// Registers a new request.
    pub(crate) fn open_request(&self) -> Stream {
        let mut open = self.lock();
        open.started += 1;
        let number = open.started;
        open.waiting_since.insert(number, None);
        Stream { streams: self.clone(), number }
    }

    /// Waits until there is a reason to close the connection.
    pub(crate) async fn wait_for_close_reason(&self, timeouts: &Timeouts) -> CloseReason {
        let mut ticks = tokio::time::interval(timeouts.http2_idle.min(timeouts.stall) / CHECKS_PER_TIMEOUT);
        loop {
            ticks.tick().await;
            if let Some(reason) = self.lock().close_reason(timeouts, Instant::now()) {
                return reason;
            }
        }
    }
}

impl Open {
    fn close_reason(&self, timeouts: &Timeouts, now: Instant) -> Option<CloseReason> {
        let longer = |since: Instant, span: Duration| now.saturating_duration_since(since) >= span;
        if self.waiting_since.values().flatten().any(|since| longer(*since, timeouts.response_timeout())) {
            return Some(CloseReason::Stalled);
        }
        let idle = self.waiting_since.is_empty() && longer(self.idle_since, timeouts.http2_idle);
        idle.then_some(if self.started == 0 { CloseReason::NoRequest } else { CloseReason::Idle })
    }
}

impl Stream {
    /// Wraps the response body, so that the request ends when the body is dropped.
    pub(crate) fn track_response(self, response: Response<Body>) -> Response<Body> {
        self.set_waits_for_client(true);
        response.map(|inner| Body::new(ResponseBody { inner, stream: self }))
    }

    fn set_waits_for_client(&self, waits: bool) {
        self.streams.lock().waiting_since.insert(self.number, waits.then(Instant::now));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        open.waiting_since.remove(&self.number);
        if open.waiting_since.is_empty() {
            open.idle_since = Instant::now();
        }
    }
}

/// A response body that tracks whether it waits for the client.
struct ResponseBody {
    inner: Body,
    stream: Stream,
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        self.stream.set_waits_for_client(polled.is_ready());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use http_body_util::BodyExt;

    use super::*;

    fn reason(streams: &StreamWatchdog) -> Option<CloseReason> {
        streams.lock().close_reason(&Timeouts::default(), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_requests_is_idle_after_a_while() {
        let (streams, timeouts) = (StreamWatchdog::new(), Timeouts::default());
        tokio::time::advance(timeouts.http2_idle).await;
        assert_eq!(reason(&streams), Some(CloseReason::NoRequest));
        let stream = streams.open_request();
        tokio::time::advance(timeouts.http2_idle * 100).await;
        assert_eq!(reason(&streams), None, "a slow handler counted against the client");
        drop(stream);
        assert_eq!(reason(&streams), None);
        tokio::time::advance(timeouts.http2_idle).await;
        assert_eq!(reason(&streams), Some(CloseReason::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn an_unread_response_is_stalled() {
        let (streams, timeouts) = (StreamWatchdog::new(), Timeouts::default());
        let pieces = futures_util::stream::iter(0..3).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"abc")));
        let mut body = streams.open_request().track_response(Response::new(Body::from_stream(pieces))).into_body();
        for _ in 0..2 {
            tokio::time::advance(timeouts.response_timeout() / 2).await;
            assert_eq!(reason(&streams), None);
            body.frame().await.unwrap().unwrap();
        }
        tokio::time::advance(timeouts.response_timeout()).await;
        assert_eq!(reason(&streams), Some(CloseReason::Stalled));
        drop(body);
        assert_eq!(reason(&streams), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_does_not_count_against_the_client() {
        let streams = StreamWatchdog::new();
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let mut body = streams.open_request().track_response(Response::new(Body::from_stream(never))).into_body();
        assert!(futures_util::poll!(body.frame()).is_pending());
        tokio::time::advance(Timeouts::default().stall * 100).await;
        assert_eq!(reason(&streams), None);
    }
}
