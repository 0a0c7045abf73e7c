//! Errors of requests to a server.

use std::error::Error as StdError;
use std::time::Duration;

use super::api_error::ResponseError;
use super::certificate::CertificateFault;
use super::destination::Destination;
use super::fault::{ConnectFault, Fault, ProxyFault};
use super::proxy::{InvalidProxy, Proxy};
use super::secret::ForeignOrigin;
use crate::client::{BucketError, Origin};
use crate::domain::error::ErrorCode;
use crate::domain::wire::Flow;

/// Failed request to the service or its payload store.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server returned an error response.
    #[error(transparent)]
    Api(Box<ResponseError>),
    /// No connection could be made.
    #[error("{}", match .fault {
        ConnectFault::Lookup => format!("the host name of {destination} cannot be resolved"),
        ConnectFault::TimedOut => {
            format!("no connection to {destination} within {}", seconds(destination.connect_timeout()))
        }
        _ => format!("cannot reach {destination}"),
    })]
    Unreachable {
        /// The server.
        destination: Destination,
        /// Class of the error.
        fault: ConnectFault,
        /// The connection error; `None` for a timeout.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// The proxy did not pass the request on.
    #[error("{}", proxy_text(proxy, origin, fault))]
    Proxy {
        /// The server's origin.
        origin: Origin,
        /// The proxy.
        proxy: Proxy,
        /// Class of the error.
        fault: ProxyFault,
    },
    /// The server's TLS certificate is rejected.
    #[error("the certificate of {destination} {fault}")]
    Certificate {
        /// The server.
        destination: Destination,
        /// Reason of the rejection.
        fault: CertificateFault,
    },
    /// The server rejected the TLS handshake.
    #[error("the TLS handshake with {destination} failed")]
    Handshake {
        /// The server.
        destination: Destination,
        /// The TLS error.
        #[source]
        source: reqwest::Error,
    },
    /// The connection was lost before the response was complete.
    #[error("the connection to {destination} was lost")]
    ConnectionLost {
        /// The server.
        destination: Destination,
        /// The connection error.
        #[source]
        source: reqwest::Error,
    },
    /// The request or the connection timed out.
    #[error("the request to {destination} timed out")]
    Timeout {
        /// The server.
        destination: Destination,
    },
    /// The server transferred or stored fewer bytes than it announced.
    #[error("{destination} ended the transfer early")]
    Incomplete {
        /// The server.
        destination: Destination,
    },
    /// The server's port does not speak TLS.
    #[error("{destination} does not speak https")]
    NotTls {
        /// The server.
        destination: Destination,
    },
    /// The server's port does not speak plain HTTP.
    #[error("{destination} does not speak plain http")]
    NotHttp {
        /// The server.
        destination: Destination,
    },
    /// The server responded with a redirect, which API calls do not follow.
    #[error("{origin} redirects to another address")]
    Redirected {
        /// The server's origin.
        origin: Origin,
        /// The redirect's target, if the `Location` header is readable. Untrusted text.
        to: Option<String>,
    },
    /// The server sent a response that this version cannot parse or that contradicts the request.
    #[error("{origin} sent an invalid response to `{call}`")]
    InvalidResponse {
        /// The server's origin.
        origin: Origin,
        /// Name of the API call.
        call: &'static str,
        /// Reason why the response is invalid.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server requires a feature that this version does not support.
    #[error("{0}")]
    Unsupported(String),
    /// A request to the payload store failed.
    #[error(transparent)]
    Store(Box<BucketError>),
    /// The server does not support the chosen data path.
    #[error("{}", match .flow {
        Flow::Presigned => format!("{origin} transfers payloads itself and has no payload store"),
        Flow::Bytes => format!("{origin} transfers payloads only through its payload store"),
    })]
    Flow {
        /// The server's origin.
        origin: Origin,
        /// The chosen data path.
        flow: Flow,
    },
    /// The URL uses plain HTTP to another machine, without `--insecure-http`.
    #[error("{origin} uses plain http, which others on the network can read")]
    PlainHttp {
        /// The server's origin.
        origin: Origin,
    },
    /// The service did not prove that it knows the generated admin key of this machine.
    #[error("{origin} did not prove that it knows the admin key of this machine, so the key was not sent")]
    KeyNotProven {
        /// The server's origin.
        origin: Origin,
    },
    /// A secret belongs to another origin.
    #[error(transparent)]
    ForeignOrigin(#[from] ForeignOrigin),
    /// A secret contains characters that are not valid in a header.
    #[error("the {0} contains characters that cannot be sent in a header")]
    MalformedSecret(&'static str),
    /// The additional root certificates are not valid.
    #[error("the CA certificates are not valid")]
    CaCertificates(#[source] reqwest::Error),
    /// A variable contains no valid proxy URL.
    #[error(transparent)]
    InvalidProxy(#[from] InvalidProxy),
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client")]
    Setup(#[source] reqwest::Error),
}

impl From<ResponseError> for ClientError {
    fn from(error: ResponseError) -> Self {
        Self::Api(Box::new(error))
    }
}

impl ClientError {
    /// Classifies a transport error of a request to `destination`. Strips the URL, which may hold secrets.
    pub(crate) fn of_request(destination: &Destination, error: reqwest::Error) -> Self {
        let (destination, source) = (destination.clone(), error.without_url());
        match (Fault::of(&source, &destination), destination.proxy()) {
            (Fault::Proxy(fault), Some(proxy)) => {
                Self::Proxy { origin: destination.origin().clone(), proxy: proxy.clone(), fault }
            }
            (Fault::Certificate(fault), _) => Self::Certificate { destination, fault },
            (Fault::NotTls, _) => Self::NotTls { destination },
            (Fault::NotHttp, _) => Self::NotHttp { destination },
            (Fault::Handshake, _) => Self::Handshake { destination, source },
            (Fault::Connect(fault), _) => {
                let source = (fault != ConnectFault::TimedOut).then_some(source);
                Self::Unreachable { destination, fault, source }
            }
            (Fault::Timeout, _) => Self::Timeout { destination },
            (Fault::Lost | Fault::Proxy(_), _) => Self::ConnectionLost { destination, source },
        }
    }

    /// Returns whether a retry of the same call may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
            Self::Unreachable { .. }
            | Self::ConnectionLost { .. }
            | Self::Timeout { .. }
            | Self::Incomplete { .. }
            | Self::Proxy { fault: ProxyFault::Unreachable(..) | ProxyFault::Refused(_), .. } => true,
            Self::Proxy { .. }
            | Self::Flow { .. }
            | Self::Certificate { .. }
            | Self::Handshake { .. }
            | Self::NotTls { .. }
            | Self::NotHttp { .. }
            | Self::InvalidProxy(_)
            | Self::Redirected { .. }
            | Self::InvalidResponse { .. }
            | Self::Unsupported(_)
            | Self::PlainHttp { .. }
            | Self::KeyNotProven { .. }
            | Self::ForeignOrigin(_)
            | Self::MalformedSecret(_)
            | Self::CaCertificates(_)
            | Self::Setup(_) => false,
        }
    }

    /// Returns whether the service, or the proxy in front of it, may be restarting.
    #[must_use]
    pub(crate) fn is_restarting(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient() && matches!(error.status, 502..=504),
            Self::ConnectionLost { .. } => true,
            _ => false,
        }
    }

    /// Returns whether the machine is reachable but no process listens on the port.
    #[must_use]
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Unreachable { fault: ConnectFault::Refused, .. })
    }

    /// Returns the error code of an API error response. Returns `None` for other errors, and for codes unknown to this
    /// version.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api(error) => error.code,
            _ => None,
        }
    }

    /// Returns whether a proxy rejected a request because of its body's size. The sign is status 413 without a code of
    /// the service.
    #[must_use]
    pub fn is_body_limit_of_proxy(&self) -> bool {
        matches!(self, Self::Api(error) if error.status == 413 && error.code.is_none())
    }

    /// Returns whether a later process may resume the transfer that failed with this error.
    #[must_use]
    pub(crate) fn is_resumable(&self) -> bool {
        // A captive portal or another network may cause certificate, TLS and redirect errors.
        let is_elsewhere = matches!(
            self,
            Self::Certificate { .. }
                | Self::Handshake { .. }
                | Self::NotTls { .. }
                | Self::NotHttp { .. }
                | Self::Proxy { .. }
                | Self::Redirected { .. }
        );
        self.is_transient() || is_elsewhere || self.code() == Some(ErrorCode::UploadInProgress)
    }

    /// Returns the HTTP status of a payload store's error response; `None` for other errors.
    #[must_use]
    pub(crate) fn store_status(&self) -> Option<u16> {
        match self {
            Self::Store(error) => error.status(),
            _ => None,
        }
    }

    /// Returns whether the payload store cannot be reached from this machine.
    #[must_use]
    pub(crate) fn is_store_unreachable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_unreachable())
    }

    /// Returns whether the payload store refuses this client, or something on the way to the store does.
    #[must_use]
    pub(crate) fn is_store_refusing(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_refusing())
    }

    /// Returns the retry delay that the server or the payload store requested.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api(error) => error.retry_after,
            Self::Store(error) => error.retry_after(),
            _ => None,
        }
    }
}

fn proxy_text(proxy: &Proxy, origin: &Origin, fault: &ProxyFault) -> String {
    match fault {
        ProxyFault::Unreachable(ConnectFault::Lookup, cause) => {
            format!("the host name of the proxy {proxy} cannot be resolved: {cause}")
        }
        ProxyFault::Unreachable(_, cause) => format!("cannot reach the proxy {proxy}: {cause}"),
        ProxyFault::Authentication => format!("the proxy {proxy} requires another user name or password"),
        ProxyFault::Refused(None) => format!("the proxy {proxy} does not connect to {origin}"),
        ProxyFault::Refused(Some(cause)) => format!("the proxy {proxy} does not connect to {origin}: {cause}"),
        ProxyFault::Protocol => format!("{proxy} does not respond like a proxy of this kind"),
    }
}

fn seconds(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
