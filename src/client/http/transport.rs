//! HTTP transport: trusted certificates, timeouts, and the ban on plain HTTP to other machines.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder};

use super::destination::Destination;
use super::one_connection::OneConnection;
use super::proxy::{Proxy, ProxyChoice, ProxySettings};
use super::resolver::{StoreResolver, SystemResolver};
use crate::client::{ClientError, Origin};
use crate::domain::base_url::BaseUrl;

/// `User-Agent` header of every request.
const USER_AGENT: &str = concat!("sgsend/", env!("CARGO_PKG_VERSION"));

/// Configurable options of a transport.
#[derive(Clone)]
pub struct TransportOptions {
    /// Root certificates in PEM, trusted in addition to the system's.
    pub extra_roots: Option<Vec<u8>>,
    /// Allows plain HTTP to other machines.
    pub insecure_http: bool,
    /// Timeout of a call that transfers no payload.
    pub call_timeout: Duration,
    /// Timeout for establishing a connection.
    pub connect_timeout: Duration,
    /// Proxies of the environment.
    pub proxies: ProxySettings,
    /// Unix socket of the server, instead of the host in its URL.
    pub unix_socket: Option<PathBuf>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            extra_roots: None,
            insecure_http: false,
            call_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            proxies: ProxySettings::default(),
            unix_socket: None,
        }
    }
}

/// Pool of connections to one server.
#[derive(Clone)]
pub struct Transport {
    pub(crate) client: Client,
    pub(crate) destination: Destination,
    pub(crate) call_timeout: Duration,
    options: Arc<TransportOptions>,
}

impl Transport {
    /// Builds the connection pool for the server at `base_url`, without connecting yet.
    pub fn to(base_url: &BaseUrl, options: &TransportOptions) -> Result<Self, ClientError> {
        let (client, destination) = connections(base_url, options, |builder, _| {
            let builder = builder.http2_adaptive_window(true).dns_resolver(Arc::new(SystemResolver));
            options.unix_socket.iter().fold(builder, |builder, path| builder.unix_socket(path.as_path()))
        })?;
        Ok(Self { client, destination, call_timeout: options.call_timeout, options: Arc::new(options.clone()) })
    }

    /// Builds the transport of a single connection to `address`, which the host of `base_url` stands for.
    pub(crate) fn to_address(
        base_url: &BaseUrl,
        address: SocketAddr,
        options: &TransportOptions,
    ) -> Result<Self, ClientError> {
        let host = base_url.join("/").host_str().unwrap_or_default().to_owned();
        let (client, destination) = connections(base_url, options, |builder, _| {
            builder.http1_only().resolve(&host, address).connector_layer(OneConnection::default())
        })?;
        Ok(Self { client, destination, call_timeout: options.call_timeout, options: Arc::new(options.clone()) })
    }

    /// Builds a connection pool for a payload store, with the same options. Connects only to addresses to which the
    /// service may direct this client; the caller checks an address in the URL itself, which is not resolved.
    pub(crate) fn to_store(&self, base_url: &BaseUrl) -> Result<(Client, Destination), ClientError> {
        connections(base_url, &self.options, |builder, proxy| {
            let proxy = proxy.map(Proxy::host).filter(|proxy| *proxy != Origin::from(base_url).host());
            let resolver = StoreResolver { service: self.destination.clone(), proxy };
            // HTTP/1.1 gives each part a connection of its own, so that one failing connection does not break the
            // others.
            builder.http1_only().dns_resolver(Arc::new(resolver))
        })
    }
}

fn connections(
    base_url: &BaseUrl,
    options: &TransportOptions,
    adapt: impl FnOnce(ClientBuilder, Option<&Proxy>) -> ClientBuilder,
) -> Result<(Client, Destination), ClientError> {
    if base_url.is_plain_http_beyond_loopback() && !options.insecure_http {
        return Err(ClientError::PlainHttp { origin: Origin::from(base_url) });
    }
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(Duration::from_secs(30))
        .tcp_nodelay(true)
        // For the expiry of the server's certificate.
        .tls_info(true);
    let proxy = match options.proxies.choose(base_url)? {
        // Leaves the settings of the operating system, where it has its own.
        ProxyChoice::Unset => None,
        ProxyChoice::Exempt(_) => {
            builder = builder.no_proxy();
            None
        }
        ProxyChoice::Proxy(proxy) => {
            builder = builder.proxy(proxy.to_reqwest().map_err(ClientError::Setup)?);
            Some(proxy)
        }
    };
    builder = adapt(builder, proxy.as_ref());
    if let Some(pem) = &options.extra_roots {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(ClientError::CaCertificates)?;
        builder = builder.tls_certs_merge(certificates);
    } else if base_url.join("/").scheme() == "http" {
        // Plain HTTP needs no root certificates, and loading the system's takes longer than a small upload.
        builder = builder.tls_certs_only([]);
    }
    let client = builder.build().map_err(|error| match options.extra_roots {
        Some(_) => ClientError::CaCertificates(error),
        None => ClientError::Setup(error),
    })?;
    Ok((client, Destination::new(Origin::from(base_url), proxy, options.connect_timeout)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        let options = |insecure_http| TransportOptions { insecure_http, ..TransportOptions::default() };
        let to = |base_url: &str, insecure| Transport::to(&base_url.parse().unwrap(), &options(insecure));
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
