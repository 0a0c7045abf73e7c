//! Write timeout: closes connections whose client stopped reading.
//!
//! Connections that carry a payload have a longer timeout: a client that limits its rate, or a proxy with a full buffer,
//! reads nothing until its own buffers are half empty. Other responses are small, and fit into the buffers of the system.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Marks a connection as carrying a payload; in the extensions of each of its requests.
#[derive(Clone, Default)]
pub(crate) struct PayloadMark(Arc<AtomicBool>);

impl PayloadMark {
    /// Marks the connection for the rest of its life. The last bytes of a payload are written after its body has ended.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Timeouts of a connection's writes.
#[derive(Clone)]
pub(crate) struct WriteLimits {
    /// Timeout of a connection without a payload.
    pub(crate) timeout: Duration,
    /// Timeout of a connection that carries a payload.
    pub(crate) payload_timeout: Duration,
    /// Whether the connection carries a payload.
    pub(crate) mark: PayloadMark,
}

/// Fails a write or flush that stays blocked for a whole timeout, which frees the connection.
pub(crate) struct WriteTimeout<S> {
    inner: S,
    limits: WriteLimits,
    deadline: Pin<Box<Sleep>>,
    blocked: bool,
}

impl<S> WriteTimeout<S> {
    pub(crate) fn new(inner: S, limits: WriteLimits) -> Self {
        let deadline = Box::pin(tokio::time::sleep(limits.timeout));
        Self { inner, limits, deadline, blocked: false }
    }

    fn guard<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.blocked = false;
            return polled;
        }
        if !self.blocked {
            self.blocked = true;
            let WriteLimits { timeout, payload_timeout, mark } = &self.limits;
            let timeout = if mark.is_set() { *payload_timeout } else { *timeout };
            self.deadline.as_mut().reset(Instant::now() + timeout);
        }
        self.deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.guard(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, pieces);
        self.guard(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.guard(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limited<S>(inner: S) -> (WriteTimeout<S>, PayloadMark) {
        let mark = PayloadMark::default();
        let limits = WriteLimits { timeout: SECOND, payload_timeout: SECOND * 10, mark: mark.clone() };
        (WriteTimeout::new(inner, limits), mark)
    }

    #[tokio::test(start_paused = true)]
    async fn a_blocked_write_times_out() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let (mut ours, _) = limited(ours);
        ours.write_all(&[0; 16]).await.unwrap();
        let began = Instant::now();
        let error = ours.write_all(&[0; 1]).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_payload_may_be_blocked_for_longer_but_not_forever() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let (mut ours, mark) = limited(ours);
        mark.set();
        ours.write_all(&[0; 16]).await.unwrap();
        let began = Instant::now();
        let error = ours.write_all(&[0; 1]).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 10));
    }
}
