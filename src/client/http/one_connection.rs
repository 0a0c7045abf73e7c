//! Limits a client to one connection, on which the server has proven its identity.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tower::{BoxError, Layer, Service};

/// Time in which a finished request returns its connection to the pool of the client.
const REUSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Layer of a connector that makes a single connection.
///
/// A client that wants another one waits until the first is free again, and fails if the server has closed it.
#[derive(Clone, Default)]
pub(super) struct OneConnection {
    is_used: Arc<AtomicBool>,
}

/// Connector that makes a single connection.
#[derive(Clone)]
pub(super) struct OneConnector<S> {
    inner: S,
    is_used: Arc<AtomicBool>,
}

impl<S> Layer<S> for OneConnection {
    type Service = OneConnector<S>;

    fn layer(&self, inner: S) -> OneConnector<S> {
        OneConnector { inner, is_used: self.is_used.clone() }
    }
}

impl<S, R> Service<R> for OneConnector<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        if !self.is_used.swap(true, Ordering::Relaxed) {
            return Box::pin(self.inner.call(request));
        }
        Box::pin(async {
            tokio::time::sleep(REUSE_TIMEOUT).await;
            Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server closed the connection after its proof")
                .into())
        })
    }
}
