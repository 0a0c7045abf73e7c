//! HTTP client of a bucket: bounds its connections, its requests in progress, and its name lookups.
//!
//! Connections and lookups need file descriptors, and a slow S3 server would otherwise get a connection for every waiting
//! request.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_http_client::pool::{Client, ConnectionPool};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longest wait of a request for a permit. The rest of its timeout is left for the response.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Maximum number of concurrent name lookups, each of which opens files and sockets of its own.
const MAX_LOOKUPS: usize = 4;

/// Error of a request that was not sent, since others did not end in time.
#[derive(Debug, thiserror::Error)]
#[error("too many requests to the S3 server at once")]
pub(super) struct TooManyRequests;

/// Creates a client with at most `connections` open connections to a server.
///
/// As many requests can be in progress.
///
/// # Panics
/// If `connections` is 0.
pub(super) fn limited(connections: usize) -> SharedHttpClient {
    let pool = ConnectionPool::builder()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .proxy_config(ProxyConfig::from_env())
        .max_connections_per_host(connections)
        .dns_resolver(LimitedResolver(Arc::new(Semaphore::new(MAX_LOOKUPS))))
        .build_https()
        .expect("a limit above 0 is valid");
    let client = Client::new(&pool).expect("the pool has no explicit partitions");
    SharedHttpClient::new(LimitedClient { client, requests: Arc::new(Semaphore::new(connections)), max_wait: MAX_WAIT })
}

/// HTTP client whose requests need a permit, until the end of their response's body.
#[derive(Debug)]
struct LimitedClient<C> {
    client: C,
    requests: Arc<Semaphore>,
    max_wait: Duration,
}

impl<C: HttpClient> HttpClient for LimitedClient<C> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(LimitedConnector {
            connector: self.client.http_connector(settings, components),
            requests: self.requests.clone(),
            max_wait: self.max_wait,
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &aws_sdk_s3::config::ConfigBag,
    ) -> Result<(), BoxError> {
        self.client.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &aws_sdk_s3::config::ConfigBag,
    ) -> Result<(), BoxError> {
        self.client.validate_final_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.client.connector_metadata()
    }
}

/// Connector of a [`LimitedClient`].
#[derive(Debug)]
struct LimitedConnector {
    connector: SharedHttpConnector,
    requests: Arc<Semaphore>,
    max_wait: Duration,
}

impl HttpConnector for LimitedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (connector, max_wait) = (self.connector.clone(), self.max_wait);
        let permit = self.requests.clone().acquire_owned();
        HttpConnectorFuture::new(async move {
            let permit = tokio::time::timeout(max_wait, permit).await;
            let permit = permit.map_err(|_| ConnectorError::other(TooManyRequests.into(), None))?;
            let permit = permit.expect("the semaphore is never closed");
            let mut response = connector.call(request).await?;
            let body = response.take_body();
            *response.body_mut() = SdkBody::from_body_1_x(BucketBody { body, _permit: permit });
            Ok(response)
        })
    }
}

/// Body of a response that holds the permit of its request.
struct BucketBody {
    body: SdkBody,
    _permit: OwnedSemaphorePermit,
}

impl Body for BucketBody {
    type Data = Bytes;
    type Error = <SdkBody as Body>::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}

/// Resolver of the system, with a limited number of concurrent lookups.
#[derive(Debug)]
struct LimitedResolver(Arc<Semaphore>);

impl ResolveDns for LimitedResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let _permit = self.0.acquire().await.expect("the semaphore is never closed");
            let addresses = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}

impl fmt::Debug for BucketBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connector whose responses have a body.
    #[derive(Debug)]
    struct Responding;

    impl HttpConnector for Responding {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let response = aws_sdk_s3::config::http::HttpResponse::new(200.try_into().unwrap(), SdkBody::from("abc"));
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_wait_for_the_bodies_of_others_and_then_fail() {
        let connector = LimitedConnector {
            connector: SharedHttpConnector::new(Responding),
            requests: Arc::new(Semaphore::new(2)),
            max_wait: MAX_WAIT,
        };
        let call = || connector.call(HttpRequest::get("http://127.0.0.1/").unwrap());
        let unread = [call().await.unwrap(), call().await.unwrap()];
        let started = tokio::time::Instant::now();
        let error = call().await.unwrap_err();
        assert_eq!(started.elapsed(), MAX_WAIT);
        assert!(!error.is_io() && !error.is_timeout(), "the SDK would send the request again");
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.is::<TooManyRequests>(), "{source:?}");
        let waiting = tokio::spawn(call());
        tokio::task::yield_now().await;
        drop(unread);
        assert_eq!(waiting.await.unwrap().unwrap().status().as_u16(), 200);
    }

    #[tokio::test]
    async fn names_are_resolved() {
        let resolver = LimitedResolver(Arc::new(Semaphore::new(1)));
        for _ in 0..3 {
            let addresses = resolver.resolve_dns("localhost").await.unwrap();
            assert!(addresses.iter().all(std::net::IpAddr::is_loopback) && !addresses.is_empty(), "{addresses:?}");
        }
    }
}
