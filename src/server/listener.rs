//! Accepting connections: TLS, limits on number and time, and an orderly end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::Encrypted;
use super::places::Places;
use super::settings::Patience;
use super::sites::Sites;
use super::slow::WriteTimeout;
use super::streams::{Streams, Useless};
use super::trail::Peer;

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;
/// Bytes of an HTTP/1 connection that are read ahead: a connection keeps the room for as many as it ever had.
const READ_BUFFER: usize = 128 * 1024;
/// Bytes that one HTTP/2 stream may send before they are taken: what a fast upload needs on a long line.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Requests at once on one connection.
const STREAMS: u32 = 32;
/// Bytes of an answer that wait for room in an HTTP/2 stream.
const SEND_BUFFER: usize = 256 * 1024;
/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One listener of one service.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) router: Router,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) patience: Patience,
    /// What keeps one site from holding all connections.
    pub(super) sites: Sites,
}

impl Listener {
    /// Serves until `stop`, then lets requests under way end, for as long as the patience for that lasts.
    pub(super) async fn serve(self, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.patience.connections));
        let connections = TaskTracker::new();
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
                    let Some(of_site) = self.sites.admit(peer.ip()) else { continue };
                    let connection = shared.clone().connection(stream, peer, stop.clone(), slot);
                    let abandon = abandon.clone();
                    connections.spawn(async move {
                        let _of_site = of_site;
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
        connections.close();
        if tokio::time::timeout(shared.patience.drain, connections.wait()).await.is_err() {
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
        stop: CancellationToken,
        slot: OwnedSemaphorePermit,
    ) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let places = Places::new(STREAMS as usize, slot);
        let about = |encrypted| About { peer: Peer(peer), encrypted: Encrypted(encrypted), places };
        let stream = WriteTimeout::new(stream, self.patience.silence);
        let Some(tls) = &self.tls else { return self.http1(stream, about(false), stop).await };
        let stream = tokio::time::timeout(self.patience.head, tls.accept(stream)).await??;
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            self.http2(stream, about(true), stop).await
        } else {
            self.http1(stream, about(true), stop).await
        }
    }

    async fn http1<S>(&self, stream: S, about: About, stop: CancellationToken) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let service = service_fn(|request| route(self.router.clone(), request, about.clone()));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience.head)
            .max_header_size(LARGEST_HEAD)
            .max_buf_size(READ_BUFFER)
            .half_close(false)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        tokio::select! {
            ended = &mut connection => return ended.map_err(io::Error::other),
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await.map_err(io::Error::other)
    }

    async fn http2<S>(&self, stream: S, about: About, stop: CancellationToken) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (router, streams) = (self.router.clone(), Streams::new());
        let begun = streams.clone();
        let service = service_fn(move |request| {
            let (stream, answering) = (begun.begin(), route(router.clone(), request, about.clone()));
            async move { answering.await.map(|response| stream.answer(response)) }
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(STREAMS)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(LARGEST_HEAD).unwrap_or(u32::MAX))
            .keep_alive_interval(self.patience.head)
            .keep_alive_timeout(self.patience.head)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let useless = tokio::select! {
            ended = &mut connection => return ended.map_err(io::Error::other),
            () = stop.cancelled() => None,
            useless = streams.useless(&self.patience) => Some(useless),
        };
        // Who only answers that it is alive holds no connection, and who does not take an answer holds no memory.
        if let Some(Useless::Silent | Useless::Stuck) = useless {
            return Err(io::ErrorKind::TimedOut.into());
        }
        connection.as_mut().graceful_shutdown();
        // What was answered last may still be on a slow line.
        let rest = tokio::time::timeout(self.patience.for_bodies(), connection);
        rest.await.map_err(|_| io::ErrorKind::TimedOut)?.map_err(io::Error::other)
    }
}

/// What requests of one connection have in common.
#[derive(Clone)]
struct About {
    peer: Peer,
    encrypted: Encrypted,
    places: Places,
}

async fn route(router: Router, request: Request<Incoming>, about: About) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(Body::new);
    let extensions = request.extensions_mut();
    extensions.insert(about.peer);
    extensions.insert(about.encrypted);
    extensions.insert(about.places);
    router.oneshot(request).await
}
