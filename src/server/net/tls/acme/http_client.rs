//! HTTP client of an ACME server: TLS with verified certificates, proxies, and bounds on time and size.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Limited;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, PemObject};
use rustls_platform_verifier::Verifier;

use super::settings::AcmeSettings;

/// Maximum time from a request to the header of its response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum time for a connection to the ACME server or its proxy.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of a response body, in bytes. A certificate chain takes less than 20 KiB.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// The reasons why requests to an ACME server cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpSetupError {
    #[error("cannot read the CA certificates in {0}")]
    ExtraRoots(String, #[source] pem::Error),
    #[error("cannot verify the certificate of the ACME server")]
    Verifier(#[from] rustls::Error),
    #[error("cannot use the proxy {0} for the ACME server: only http:// proxies are supported")]
    Proxy(String),
}

/// Last `Retry-After` of an error response, in seconds or absent.
#[derive(Clone, Default)]
pub(super) struct RetryAfter(Arc<Mutex<Option<Duration>>>);

impl RetryAfter {
    /// Returns the delay that the ACME server has asked for.
    pub(super) fn get(&self) -> Option<Duration> {
        *self.0.lock().expect("the lock is never poisoned")
    }

    fn note(&self, response: &http::response::Parts) {
        if !matches!(response.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            return;
        }
        let seconds = response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        if let Some(seconds) = seconds {
            *self.0.lock().expect("the lock is never poisoned") = Some(Duration::from_secs(seconds));
        }
    }
}

/// Builds a client for the ACME server of these settings. `retry_after` receives the delay of its error responses.
pub(super) fn client(settings: &AcmeSettings, retry_after: RetryAfter) -> Result<Box<dyn HttpClient>, HttpSetupError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = settings.extra_roots.as_deref().map(extra_roots).transpose()?.unwrap_or_default();
    let verifier = Verifier::new_with_extra_roots(roots, provider.clone())?;
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1();
    let proxy = settings.directory.as_str().parse::<Uri>().ok().and_then(|uri| Matcher::from_env().intercept(&uri));
    let Some(proxy) = proxy else {
        return Ok(AcmeHttpClient::boxed(https.wrap_connector(tcp), retry_after));
    };
    if proxy.uri().scheme_str() != Some("http") {
        let proxy = proxy.uri();
        let scheme = proxy.scheme_str().unwrap_or_default();
        return Err(HttpSetupError::Proxy(format!("{scheme}://{}", proxy.host().unwrap_or_default())));
    }
    let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
    let tunnel = match proxy.basic_auth() {
        Some(login) => tunnel.with_auth(login.clone()),
        None => tunnel,
    };
    Ok(AcmeHttpClient::boxed(https.wrap_connector(tunnel), retry_after))
}

fn extra_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpSetupError> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    certificates.map_err(|error| HttpSetupError::ExtraRoots(path.display().to_string(), error))
}

/// Client that bounds the time to a response and the size of its body.
struct AcmeHttpClient<C> {
    client: Client<C, BodyWrapper<Bytes>>,
    retry_after: RetryAfter,
}

impl<C: Connect + Clone + Send + Sync + 'static> AcmeHttpClient<C> {
    fn boxed(connector: C, retry_after: RetryAfter) -> Box<dyn HttpClient> {
        Box::new(Self { client: Client::builder(TokioExecutor::new()).build(connector), retry_after })
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> HttpClient for AcmeHttpClient<C> {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (response, retry_after) = (self.client.request(request), self.retry_after.clone());
        Box::pin(async move {
            let response = tokio::time::timeout(REQUEST_TIMEOUT, response).await;
            let response = response.map_err(|error| Error::Other(error.into()))?;
            let (parts, body) = response.map_err(|error| Error::Other(error.into()))?.into_parts();
            retry_after.note(&parts);
            Ok(BytesResponse::from(Response::from_parts(parts, Limited::new(body, MAX_RESPONSE_BYTES))))
        })
    }
}
