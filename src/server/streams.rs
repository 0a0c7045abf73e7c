//! The requests of one HTTP/2 connection that are not over: a connection without any, or with one whose answer nobody
//! takes, is of no use.

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

use super::held_answers::HeldAnswer;
use super::settings::Patience;

/// Looks within each span of patience.
const LOOKS: u32 = 4;

/// The streams of a connection.
#[derive(Clone)]
pub(super) struct Streams(Arc<Mutex<Open>>);

struct Open {
    /// Since when each waits for its client to take more of its answer; `None` where it waits for us.
    waiting_since: HashMap<u64, Option<Instant>>,
    begun: u64,
    /// When the last one ended.
    idle_since: Instant,
}

/// What makes a connection useless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Useless {
    /// Nothing was asked for a while.
    Idle,
    /// Nothing was asked ever.
    Silent,
    /// An answer is not taken.
    Stuck,
}

/// One request, until its answer was taken or given up.
pub(super) struct Stream {
    all: Streams,
    number: u64,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Open { waiting_since: HashMap::new(), begun: 0, idle_since: Instant::now() })))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }

    /// A request has come.
    pub(super) fn begin(&self) -> Stream {
        let mut open = self.lock();
        open.begun += 1;
        let number = open.begun;
        open.waiting_since.insert(number, None);
        Stream { all: self.clone(), number }
    }

    /// Waits until the connection is of no use any more.
    pub(super) async fn useless(&self, patience: &Patience) -> Useless {
        let mut looks = tokio::time::interval(patience.head.min(patience.silence) / LOOKS);
        loop {
            looks.tick().await;
            if let Some(useless) = self.lock().useless(patience, Instant::now()) {
                return useless;
            }
        }
    }
}

impl Open {
    fn useless(&self, patience: &Patience, now: Instant) -> Option<Useless> {
        let longer = |since: Instant, span: Duration| now.saturating_duration_since(since) >= span;
        if self.waiting_since.values().flatten().any(|since| longer(*since, patience.for_bodies())) {
            return Some(Useless::Stuck);
        }
        let idle = self.waiting_since.is_empty() && longer(self.idle_since, patience.head);
        idle.then_some(if self.begun == 0 { Useless::Silent } else { Useless::Idle })
    }
}

impl Stream {
    /// Its answer, which ends it when it was taken.
    pub(super) fn answer(self, mut response: Response<Body>) -> Response<Body> {
        let held = response.extensions_mut().remove::<HeldAnswer>();
        self.waits_for_client(true);
        response.map(|inner| Body::new(Answer { inner, stream: self, _held: held }))
    }

    fn waits_for_client(&self, waits: bool) {
        self.all.lock().waiting_since.insert(self.number, waits.then(Instant::now));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        open.waiting_since.remove(&self.number);
        if open.waiting_since.is_empty() {
            open.idle_since = Instant::now();
        }
    }
}

/// The body of an answer.
struct Answer {
    inner: Body,
    stream: Stream,
    _held: Option<HeldAnswer>,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        self.stream.waits_for_client(polled.is_ready());
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

    fn state(streams: &Streams) -> Option<Useless> {
        streams.lock().useless(&Patience::default(), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_requests_is_idle_after_a_while() {
        let (streams, patience) = (Streams::new(), Patience::default());
        tokio::time::advance(patience.head).await;
        assert_eq!(state(&streams), Some(Useless::Silent));
        let stream = streams.begin();
        tokio::time::advance(patience.head * 100).await;
        assert_eq!(state(&streams), None, "a slow handler is no fault of the client");
        drop(stream);
        assert_eq!(state(&streams), None);
        tokio::time::advance(patience.head).await;
        assert_eq!(state(&streams), Some(Useless::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_answer_is_not_taken_is_stuck() {
        let (streams, patience) = (Streams::new(), Patience::default());
        let pieces = futures_util::stream::iter(0..3).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"abc")));
        let mut answer = streams.begin().answer(Response::new(Body::from_stream(pieces))).into_body();
        for _ in 0..2 {
            tokio::time::advance(patience.for_bodies() / 2).await;
            assert_eq!(state(&streams), None);
            answer.frame().await.unwrap().unwrap();
        }
        tokio::time::advance(patience.for_bodies()).await;
        assert_eq!(state(&streams), Some(Useless::Stuck));
        drop(answer);
        assert_eq!(state(&streams), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_is_not_blamed_on_the_client() {
        let streams = Streams::new();
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let mut answer = streams.begin().answer(Response::new(Body::from_stream(never))).into_body();
        assert!(futures_util::poll!(answer.frame()).is_pending());
        tokio::time::advance(Patience::default().silence * 100).await;
        assert_eq!(state(&streams), None);
    }
}
