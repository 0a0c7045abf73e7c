//! Accepts connections: TLS, connection limits, timeouts and graceful shutdown.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::base_path::BasePath;
use super::connection_info::{IsTls, LocalAddress, Peer};
use super::connection_limit::ConnectionLimit;
use super::http2_watchdog::{CloseReason, StreamWatchdog};
use super::in_flight::{MAX_IN_FLIGHT_PER_CONNECTION, RequestSlots};
use super::proxy_protocol;
use super::socket::{ServiceSocket, ServiceStream};
use super::timeouts::Timeouts;
use super::tls::acme::CHALLENGE_PROTOCOL;
use super::write_timeout::{PayloadMark, WriteLimits, WriteTimeout};

/// Maximum size of a request's header section, in bytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Maximum read buffer of an HTTP/1 connection, in bytes; a buffer never shrinks.
const READ_BUFFER: usize = 128 * 1024;
/// HTTP/2 flow-control window of a stream, in bytes; allows fast uploads at high round-trip times.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
/// HTTP/2 flow-control window of a connection, in bytes, shared by all its streams.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Maximum response bytes buffered per HTTP/2 stream.
const SEND_BUFFER: usize = 256 * 1024;
/// Pause after a failed accept, for example without a free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One listening socket of one service.
pub(crate) struct Listener {
    pub(crate) socket: ServiceSocket,
    pub(crate) router: Router,
    /// Removed from the paths of requests.
    pub(crate) base_path: Option<BasePath>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) timeouts: Timeouts,
    /// Limits the connections of each client network.
    pub(crate) connection_limit: ConnectionLimit,
    /// Whether connections of trusted proxies begin with a PROXY header.
    pub(crate) proxy_protocol: bool,
}

impl Listener {
    /// Serves until `stop`, then waits for in-flight requests, up to the drain timeout.
    pub(crate) async fn serve(self, stop: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.timeouts.max_connections));
        let connections = TaskTracker::new();
        let shared = Arc::new(Shared {
            router: self.router,
            base_path: self.base_path,
            tls: self.tls,
            timeouts: self.timeouts,
            connection_limit: self.connection_limit,
            proxy_protocol: self.proxy_protocol,
        });
        let abort = CancellationToken::new();
        loop {
            let next = async {
                let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
                (self.socket.accept().await, permit)
            };
            let (accepted, permit) = tokio::select! {
                next = next => next,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = shared.clone().admit(stream, Peer::new(peer), stop.clone(), permit);
                    let abort = abort.clone();
                    connections.spawn(async move {
                        tokio::select! {
                            result = connection => if let Err(error) = result {
                                tracing::debug!(%error, "connection ended");
                            },
                            () = abort.cancelled() => {}
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
        if tokio::time::timeout(shared.timeouts.drain, connections.wait()).await.is_err() {
            tracing::warn!("aborted in-flight requests: drain timeout");
        }
        abort.cancel();
    }
}

/// State shared by the connections of a listener.
struct Shared {
    router: Router,
    base_path: Option<BasePath>,
    tls: Option<TlsAcceptor>,
    timeouts: Timeouts,
    connection_limit: ConnectionLimit,
    proxy_protocol: bool,
}

impl Shared {
    /// Serves a connection unless the network of its client is at the limit.
    async fn admit(
        self: Arc<Self>,
        mut stream: ServiceStream,
        peer: Peer,
        stop: CancellationToken,
        permit: OwnedSemaphorePermit,
    ) -> io::Result<()> {
        let peer = if self.proxy_protocol && self.connection_limit.is_proxy(peer) {
            let timeout = self.timeouts.header.min(proxy_protocol::HEADER_TIMEOUT);
            let client = tokio::select! {
                client = proxy_protocol::read(&mut stream, timeout) => client.map_err(io::Error::other)?,
                () = stop.cancelled() => return Ok(()),
            };
            peer.with_client(client)
        } else {
            peer
        };
        let Some(_network_permit) = self.connection_limit.acquire(peer) else { return Ok(()) };
        self.connection(stream, peer, stop, permit).await
    }

    async fn connection(
        self: Arc<Self>,
        stream: ServiceStream,
        peer: Peer,
        stop: CancellationToken,
        permit: OwnedSemaphorePermit,
    ) -> io::Result<()> {
        let local = LocalAddress(stream.set_up()?);
        let request_slots = RequestSlots::new(MAX_IN_FLIGHT_PER_CONNECTION, permit);
        let mark = PayloadMark::default();
        let limits = WriteLimits {
            timeout: self.timeouts.write_timeout(),
            payload_timeout: self.timeouts.response_timeout(),
            mark: mark.clone(),
        };
        let info = |is_tls| ConnectionInfo {
            base_path: self.base_path.clone(),
            peer,
            local,
            is_tls: IsTls(is_tls),
            request_slots,
            mark,
        };
        let stream = WriteTimeout::new(stream, limits);
        let Some(tls) = &self.tls else { return self.http1(stream, info(false), stop).await };
        let mut stream = tokio::time::timeout(self.timeouts.header, tls.accept(stream)).await??;
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => self.http2(stream, info(true), stop).await,
            // The validation of a domain ends with its handshake (RFC 8737, 3).
            Some(CHALLENGE_PROTOCOL) => tokio::time::timeout(self.timeouts.header, stream.shutdown()).await?,
            _ => self.http1(stream, info(true), stop).await,
        }
    }

    async fn http1<S>(&self, stream: S, info: ConnectionInfo, stop: CancellationToken) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let service = service_fn(|request| route(self.router.clone(), request, info.clone()));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.timeouts.header)
            .max_header_size(MAX_HEADER_BYTES)
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

    async fn http2<S>(&self, stream: S, info: ConnectionInfo, stop: CancellationToken) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (router, streams) = (self.router.clone(), StreamWatchdog::new());
        let requests = streams.clone();
        let service = service_fn(move |request| {
            let (stream, response) = (requests.open_request(), route(router.clone(), request, info.clone()));
            async move { response.await.map(|response| stream.track_response(response)) }
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(MAX_IN_FLIGHT_PER_CONNECTION)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX))
            .keep_alive_interval(self.timeouts.http2_idle)
            .keep_alive_timeout(self.timeouts.http2_idle)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let close_reason = tokio::select! {
            ended = &mut connection => return ended.map_err(io::Error::other),
            () = stop.cancelled() => None,
            reason = streams.wait_for_close_reason(&self.timeouts) => Some(reason),
        };
        // Closes connections that only answer PING, and connections whose client stopped reading a response.
        if let Some(CloseReason::NoRequest | CloseReason::Stalled) = close_reason {
            return Err(io::ErrorKind::TimedOut.into());
        }
        connection.as_mut().graceful_shutdown();
        // Lets the last responses finish on a slow line.
        let rest = tokio::time::timeout(self.timeouts.response_timeout(), connection);
        rest.await.map_err(|_| io::ErrorKind::TimedOut)?.map_err(io::Error::other)
    }
}

/// Properties of a connection. All but the base path are added to the extensions of each of its requests.
#[derive(Clone)]
struct ConnectionInfo {
    base_path: Option<BasePath>,
    peer: Peer,
    local: LocalAddress,
    is_tls: IsTls,
    request_slots: RequestSlots,
    mark: PayloadMark,
}

async fn route(router: Router, request: Request<Incoming>, info: ConnectionInfo) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(Body::new);
    if let Some(base_path) = &info.base_path {
        base_path.strip(&mut request);
    }
    let extensions = request.extensions_mut();
    extensions.insert(info.peer);
    extensions.insert(info.local);
    extensions.insert(info.is_tls);
    extensions.insert(info.request_slots);
    extensions.insert(info.mark);
    router.oneshot(request).await
}
