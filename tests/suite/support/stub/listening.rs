//! A listener that can be closed and reopened, and whose connections can be cut.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Error that cuts the connection without a response.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
pub(super) struct Cut;

/// Response body that can break off.
pub(super) type Body = UnsyncBoxBody<Bytes, Cut>;
pub(super) type Answered = Result<Response<Body>, Cut>;

/// A listener on a local port.
pub(super) struct Listening {
    url: String,
    is_open: watch::Sender<bool>,
    /// The state of the port, after `is_open` has taken effect.
    is_done: watch::Receiver<bool>,
}

impl Listening {
    pub(super) fn start<F, A>(runtime: &Runtime, tls: Option<Arc<rustls::ServerConfig>>, respond: F) -> Self
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Answered> + Send + 'static,
    {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("{}://{address}", if tls.is_some() { "https" } else { "http" });
        let (is_open, wanted) = watch::channel(true);
        let (done, is_done) = watch::channel(true);
        let acceptor = tls.map(TlsAcceptor::from);
        runtime.spawn(async move { listen(listener, address, acceptor, respond, wanted, done).await });
        Self { url, is_open, is_done }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Closes the port and all its connections.
    pub(super) fn close(&self) {
        self.set(false);
    }

    /// Reopens the port.
    pub(super) fn open(&self) {
        self.set(true);
    }

    fn set(&self, open: bool) {
        self.is_open.send(open).unwrap();
        let mut is_done = self.is_done.clone();
        let wait = async move { is_done.wait_for(|done| *done == open).await.map(|_| ()) };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(wait).unwrap();
    }
}

async fn listen<F, A>(
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    respond: F,
    mut wanted: watch::Receiver<bool>,
    done: watch::Sender<bool>,
) where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answered> + Send + 'static,
{
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let Some(open) = &listener else {
            if wanted.wait_for(|open| *open).await.is_err() {
                return;
            }
            listener = Some(TcpListener::bind(address).await.unwrap());
            done.send_replace(true);
            continue;
        };
        tokio::select! {
            accepted = open.accept() => {
                let (stream, _) = accepted.unwrap();
                connections.spawn(connected(stream, tls.clone(), respond.clone()));
            }
            over = is_over(&mut wanted) => {
                if over {
                    return;
                }
                listener = None;
                connections.shutdown().await;
                done.send_replace(false);
            }
        }
    }
}

/// Waits until the port must close; returns whether the listener has been dropped.
async fn is_over(wanted: &mut watch::Receiver<bool>) -> bool {
    wanted.wait_for(|open| !*open).await.is_err()
}

async fn connected<F, A>(stream: tokio::net::TcpStream, tls: Option<TlsAcceptor>, respond: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answered> + Send + 'static,
{
    match tls {
        None => serve(stream, respond).await,
        // Clients that don't trust the certificate disconnect here.
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, respond).await;
            }
        }
    }
}

async fn serve<F, A>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, respond: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answered> + Send + 'static,
{
    let service = service_fn(respond);
    // Cut connections end in an error, as intended.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
