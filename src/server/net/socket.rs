//! Listening sockets, by TCP or Unix, and their connections.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A listening socket of a service.
#[derive(Debug)]
pub enum ServiceSocket {
    /// A TCP socket.
    Tcp(TcpListener),
    /// A Unix socket, for a proxy on the same machine.
    Unix(UnixListener),
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) enum ServiceStream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl ServiceSocket {
    /// Returns the address of the socket; `None` for a Unix socket.
    ///
    /// # Errors
    /// If the socket cannot be used.
    pub fn address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Some),
            Self::Unix(listener) => listener.local_addr().map(|_| None),
        }
    }

    /// Accepts a connection. Returns it with the address of its peer; `None` for a Unix socket.
    pub(crate) async fn accept(&self) -> io::Result<(ServiceStream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().await.map(|(stream, peer)| (ServiceStream::Tcp(stream), Some(peer)))
            }
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| (ServiceStream::Unix(stream), None)),
        }
    }
}

impl From<TcpListener> for ServiceSocket {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for ServiceSocket {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl ServiceStream {
    /// Sends small writes at once. Returns the local address; `None` for a Unix socket.
    pub(crate) fn set_up(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                stream.local_addr().map(Some)
            }
            Self::Unix(_) => Ok(None),
        }
    }
}

/// Calls a method of the stream inside.
macro_rules! delegate {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            ServiceStream::Tcp($inner) => $call,
            ServiceStream::Unix($inner) => $call,
        }
    };
}

impl AsyncRead for ServiceStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), inner => Pin::new(inner).poll_read(cx, buffer))
    }
}

impl AsyncWrite for ServiceStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self.get_mut(), inner => Pin::new(inner).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self.get_mut(), inner => Pin::new(inner).poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        delegate!(self, inner => inner.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), inner => Pin::new(inner).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self.get_mut(), inner => Pin::new(inner).poll_shutdown(cx))
    }
}
