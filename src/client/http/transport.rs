//! Connections: who is trusted, how long is waited, and what never travels in the clear.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder};

use crate::client::{ClientError, Origin};
use crate::domain::base_url::BaseUrl;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The user agent of every request.
const USER_AGENT: &str = concat!("sgsend/", env!("CARGO_PKG_VERSION"));

/// What can be chosen about connections.
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// Certificates in PEM to trust beside the system's.
    pub extra_roots: Option<Vec<u8>>,
    /// Whether plain http may leave this machine.
    pub insecure_http: bool,
    /// How long one call may take that moves no payload.
    pub call_timeout: Duration,
}

/// Makes connections to one server.
#[derive(Clone)]
pub struct Transport {
    pub(crate) client: Client,
    pub(crate) call_timeout: Duration,
    options: Arc<TransportOptions>,
}

impl Transport {
    /// Prepares connections to the server at `root`. Connects to nothing yet.
    pub fn to(root: &BaseUrl, options: &TransportOptions) -> Result<Self, ClientError> {
        let client = connections(root, options, |builder| builder.http2_adaptive_window(true))?;
        Ok(Self { client, call_timeout: options.call_timeout, options: Arc::new(options.clone()) })
    }

    /// Prepares connections to a payload store, under the same terms.
    pub(crate) fn to_store(&self, root: &BaseUrl) -> Result<Client, ClientError> {
        // Each part gets a connection of its own: what breaks one does not break the others.
        connections(root, &self.options, ClientBuilder::http1_only)
    }
}

fn connections(
    root: &BaseUrl,
    options: &TransportOptions,
    version: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<Client, ClientError> {
    if root.is_plain_http_beyond_loopback() && !options.insecure_http {
        return Err(ClientError::PlainHttp { origin: Origin::from(root) });
    }
    let mut builder = version(Client::builder())
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(30))
        .tcp_nodelay(true);
    if root.is_loopback() {
        // A proxy would take what must not leave this machine.
        builder = builder.no_proxy();
    }
    if let Some(pem) = &options.extra_roots {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(ClientError::Roots)?;
        builder = builder.tls_certs_merge(certificates);
    } else if root.join("/").scheme() == "http" {
        // Reading the system's roots takes longer than a small upload, and nobody would ask them.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| match options.extra_roots {
        Some(_) => ClientError::Roots(error),
        None => ClientError::Setup(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        let options =
            |insecure_http| TransportOptions { extra_roots: None, insecure_http, call_timeout: Duration::from_secs(1) };
        let to = |root: &str, insecure| Transport::to(&root.parse().unwrap(), &options(insecure));
        assert!(to("http://127.0.0.1:8080", false).is_ok());
        assert!(to("http://localhost/base", false).is_ok());
        assert!(matches!(to("http://send.example", false), Err(ClientError::PlainHttp { .. })));
        assert!(to("http://send.example", true).is_ok());
        let store =
            |insecure| to("https://send.example", insecure).unwrap().to_store(&"http://b.example".parse().unwrap());
        assert!(matches!(store(false), Err(ClientError::PlainHttp { .. })));
        assert!(store(true).is_ok());
    }
}
