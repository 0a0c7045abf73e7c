//! Bodies of answers that are payloads: counted, and recorded when they have gone out.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Calls back with the number of its bytes that were taken, once, when it ends or is given up.
pub(super) struct CountedBody<F: FnOnce(u64) + Send + Unpin> {
    inner: Body,
    taken: u64,
    when_over: Option<F>,
}

impl<F: FnOnce(u64) + Send + Unpin> CountedBody<F> {
    pub(super) fn new(inner: Body, when_over: F) -> Self {
        Self { inner, taken: 0, when_over: Some(when_over) }
    }
}

impl<F: FnOnce(u64) + Send + Unpin> http_body::Body for CountedBody<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.taken += frame.data_ref().map_or(0, Bytes::len) as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<F: FnOnce(u64) + Send + Unpin> Drop for CountedBody<F> {
    fn drop(&mut self) {
        if let Some(when_over) = self.when_over.take() {
            when_over(self.taken);
        }
    }
}
