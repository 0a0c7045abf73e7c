//! HTTP client of webhooks: signed requests by Standard Webhooks, bounded in time and size.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;

use super::resolver::{AddressRules, CheckedResolver, RefusedAddress, UnresolvedName};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::notification::{DeliveryError, FailureReason, Notification, WebhookSecret, WebhookUrl};
use crate::domain::store::to_json;

/// Time for a whole request, with name, connection, encryption and response.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Period for which an unused connection stays open.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections under the rules for one scheme.
type Connections = Client<HttpsConnector<HttpConnector<CheckedResolver>>, Full<Bytes>>;

/// Client of webhooks. Uses no proxy, since that would choose the address.
pub(super) struct WebhookClient {
    encrypted: (AddressRules, Connections),
    plain: (AddressRules, Connections),
}

impl WebhookClient {
    /// Creates a client that trusts the system's CA certificates and `roots`.
    pub(super) fn new(allow_private: bool, roots: Vec<CertificateDer<'static>>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(roots, provider.clone())?;
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let connections = |is_encrypted| {
            let rules = AddressRules { allow_private, is_encrypted };
            let mut tcp = HttpConnector::new_with_resolver(CheckedResolver(rules));
            tcp.enforce_http(false);
            tcp.set_connect_timeout(Some(TIMEOUT));
            let builder = HttpsConnectorBuilder::new().with_tls_config(tls.clone());
            let builder = if is_encrypted { builder.https_only() } else { builder.https_or_http() };
            let connector = builder.enable_http1().wrap_connector(tcp);
            let client = Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_TIMEOUT)
                .build(connector);
            (rules, client)
        };
        Ok(Self { encrypted: connections(true), plain: connections(false) })
    }

    /// Posts a notification; any status 2xx is a delivery.
    pub(super) async fn send(
        &self,
        url: &WebhookUrl,
        secret: &WebhookSecret,
        notification: &Notification,
    ) -> Result<(), DeliveryError> {
        let (rules, client) = if url.is_encrypted() { &self.encrypted } else { &self.plain };
        rules.check_host(url.reveal()).map_err(refused)?;
        let (body, now) = (to_json(notification), SystemClock.now());
        let request = Request::post(url.reveal().as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("sgsend/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", notification.id.to_string())
            .header("webhook-timestamp", (now.as_millis() / 1_000).to_string())
            .header("webhook-signature", secret.sign(notification.id, now, &body))
            .body(Full::new(body));
        let invalid = |_| DeliveryError::new(FailureReason::NotReachable, "the URL is not usable for a request");
        let response = tokio::time::timeout(TIMEOUT, client.request(request.map_err(invalid)?)).await;
        let late = |_| DeliveryError::new(FailureReason::Timeout, "the receiver did not respond in time");
        // The body is not read: dropping it closes the connection unless it is empty.
        let status = response.map_err(late)?.map_err(|error| failed(&error))?.status();
        if status.is_success() { Ok(()) } else { Err(rejected(status)) }
    }
}

fn refused(error: RefusedAddress) -> DeliveryError {
    DeliveryError::new(FailureReason::AddressRefused, error.to_string())
}

/// Classifies the error of a connection. Its text could quote the URL, so only known causes are kept.
fn failed(error: &(dyn StdError + 'static)) -> DeliveryError {
    let mut next = Some(error);
    while let Some(cause) = next {
        next = cause.source();
        if let Some(error) = cause.downcast_ref::<RefusedAddress>() {
            return refused(*error);
        }
        if let Some(error) = cause.downcast_ref::<UnresolvedName>() {
            return DeliveryError::new(FailureReason::NameNotResolved, error.to_string());
        }
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return DeliveryError::new(FailureReason::NotReachable, format!("TLS failed: {error}"));
        }
    }
    DeliveryError::new(FailureReason::NotReachable, "the connection failed")
}

fn rejected(status: StatusCode) -> DeliveryError {
    let reason = if status.is_redirection() {
        FailureReason::Redirect
    } else if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        FailureReason::ReceiverError
    } else {
        FailureReason::Rejected
    };
    DeliveryError::new(reason, format!("the receiver responded with status {}", status.as_u16()))
}
