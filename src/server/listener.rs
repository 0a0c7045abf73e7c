//! Accepting connections: TLS, limits on number and time, and an orderly end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Encrypted;
use super::settings::Patience;
use super::slow::WriteTimeout;
use super::trail::Peer;

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;
/// Bytes that one HTTP/2 stream may send before they are taken: what a fast upload needs on a long line.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 64;
/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One listener of one service.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) router: Router,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) patience: Patience,
}

impl Listener {
    /// Serves until `stop`, then lets requests under way end, for as long as the patience for that lasts.
    pub(super) async fn serve(self, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.patience.connections));
        let connections = GracefulShutdown::new();
        let shared = Arc::new(Shared { router: self.router, tls: self.tls, patience: self.patience });
        let abandon = CancellationToken::new();
        loop {
            let next = async {
                let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
                (self.socket.accept().await, slot)
            };
            let (accepted, slot) = tokio::select! {
                next = next => next,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = shared.clone().connection(stream, peer, connections.watcher(), slot);
                    let abandon = abandon.clone();
                    tokio::spawn(async move {
                        tokio::select! {
                            result = connection => if let Err(error) = result {
                                tracing::debug!(%error, "connection ended");
                            },
                            () = abandon.cancelled() => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.socket);
        if tokio::time::timeout(shared.patience.drain, connections.shutdown()).await.is_err() {
            tracing::warn!("requests under way were given up");
        }
        abandon.cancel();
    }
}

struct Shared {
    router: Router,
    tls: Option<TlsAcceptor>,
    patience: Patience,
}

impl Shared {
    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        watcher: Watcher,
        _slot: OwnedSemaphorePermit,
    ) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let stream = WriteTimeout::new(stream, self.patience.silence);
        let Some(tls) = &self.tls else { return self.http1(stream, peer, watcher, Encrypted(false)).await };
        let stream = tokio::time::timeout(self.patience.head, tls.accept(stream)).await??;
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            self.http2(stream, peer, watcher).await
        } else {
            self.http1(stream, peer, watcher, Encrypted(true)).await
        }
    }

    async fn http1<S>(&self, stream: S, peer: SocketAddr, watcher: Watcher, encrypted: Encrypted) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let service = service_fn(|request| self.answer(request, peer, encrypted));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience.head)
            .max_header_size(LARGEST_HEAD)
            .half_close(false)
            .serve_connection(TokioIo::new(stream), service);
        watcher.watch(connection).await.map_err(io::Error::other)
    }

    async fn http2<S>(&self, stream: S, peer: SocketAddr, watcher: Watcher) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let router = self.router.clone();
        let service = service_fn(move |request| {
            let router = router.clone();
            async move { Ok::<_, Infallible>(route(router, request, peer, Encrypted(true)).await) }
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(LARGEST_HEAD).unwrap_or(u32::MAX))
            .keep_alive_interval(self.patience.head)
            .keep_alive_timeout(self.patience.head)
            .serve_connection(TokioIo::new(stream), service);
        watcher.watch(connection).await.map_err(io::Error::other)
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        encrypted: Encrypted,
    ) -> Result<Response<Body>, Infallible> {
        Ok(route(self.router.clone(), request, peer, encrypted).await)
    }
}

async fn route(router: Router, request: Request<Incoming>, peer: SocketAddr, encrypted: Encrypted) -> Response<Body> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Peer(peer));
    request.extensions_mut().insert(encrypted);
    router.oneshot(request).await.unwrap_or_else(|never| match never {})
}
