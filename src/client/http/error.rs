//! Errors of requests to a server.

use std::error::Error as StdError;
use std::time::Duration;

use rustls::InvalidMessage;

use super::secret::ForeignOrigin;
use crate::client::{Origin, StoreError};
use crate::domain::error::ErrorCode;
use crate::domain::wire::Flow;

/// Error response of the server: its status, code and message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The stable error code, if this version knows it.
    pub code: Option<ErrorCode>,
    /// The code as received; `http_<status>` if the response has no code.
    pub code_text: String,
    /// The server's message. Untrusted text: escape it before display.
    pub detail: String,
    /// The request's id in the server's records.
    pub request_id: Option<String>,
    /// The exceeded limit, in bytes.
    pub limit_bytes: Option<u64>,
    /// Payload bytes that the server has received.
    pub received_bytes: Option<u64>,
    /// Delay before the next retry, as requested by the server.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    /// Returns whether a retry of the same request may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.code {
            Some(ErrorCode::RateLimited) => true,
            // A retry does not help, even if the status is transient.
            Some(ErrorCode::QuotaExceeded | ErrorCode::EventLimitReached | ErrorCode::StorageFull) => false,
            _ => matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504),
        }
    }
}

/// Failed request to the service or its payload store.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server returned an error response.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// No connection could be made.
    #[error("cannot reach {origin}")]
    Unreachable {
        /// The server's origin.
        origin: Origin,
        /// The connection error.
        #[source]
        source: reqwest::Error,
    },
    /// The server's TLS certificate is not trusted.
    #[error("the certificate of {origin} is not trusted")]
    Certificate {
        /// The server's origin.
        origin: Origin,
        /// The TLS error.
        #[source]
        source: reqwest::Error,
    },
    /// The connection was lost before the response was complete.
    #[error("the connection to {origin} was lost")]
    ConnectionLost {
        /// The server's origin.
        origin: Origin,
        /// The connection error.
        #[source]
        source: reqwest::Error,
    },
    /// The request or the connection timed out.
    #[error("the request to {origin} timed out")]
    Timeout {
        /// The server's origin.
        origin: Origin,
    },
    /// The server transferred or stored fewer bytes than it announced.
    #[error("{origin} ended the transfer early")]
    Incomplete {
        /// The server's origin.
        origin: Origin,
    },
    /// The server's port does not speak TLS.
    #[error("{origin} does not speak https")]
    NotTls {
        /// The server's origin.
        origin: Origin,
        /// The TLS error.
        #[source]
        source: reqwest::Error,
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
    Store(Box<StoreError>),
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
    /// A secret belongs to another origin.
    #[error(transparent)]
    ForeignOrigin(#[from] ForeignOrigin),
    /// A secret contains characters that are not valid in a header.
    #[error("the {0} contains characters that cannot be sent in a header")]
    MalformedSecret(&'static str),
    /// The additional root certificates are not valid.
    #[error("the CA certificates are not valid")]
    CaCertificates(#[source] reqwest::Error),
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client")]
    Setup(#[source] reqwest::Error),
}

impl From<ApiError> for ClientError {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}

impl ClientError {
    /// Classifies a transport error of a request to `origin`. Strips the URL, which may hold secrets.
    pub(crate) fn of_request(origin: Origin, error: reqwest::Error) -> Self {
        let source = error.without_url();
        if source.is_timeout() {
            Self::Timeout { origin }
        } else if matches!(tls_error(&source), Some(rustls::Error::InvalidCertificate(_))) {
            Self::Certificate { origin, source }
        } else if matches!(tls_error(&source), Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)))
        {
            Self::NotTls { origin, source }
        } else if source.is_connect() {
            Self::Unreachable { origin, source }
        } else {
            Self::ConnectionLost { origin, source }
        }
    }

    /// Returns whether a retry of the same call may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
            Self::Unreachable { .. } | Self::ConnectionLost { .. } | Self::Timeout { .. } | Self::Incomplete { .. } => {
                true
            }
            Self::Flow { .. }
            | Self::Certificate { .. }
            | Self::NotTls { .. }
            | Self::Redirected { .. }
            | Self::InvalidResponse { .. }
            | Self::Unsupported(_)
            | Self::PlainHttp { .. }
            | Self::ForeignOrigin(_)
            | Self::MalformedSecret(_)
            | Self::CaCertificates(_)
            | Self::Setup(_) => false,
        }
    }

    /// Returns the error code of an API error response; `None` for other errors, and for codes unknown to this version.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api(error) => error.code,
            _ => None,
        }
    }

    /// Returns whether a proxy rejected a request because of its body's size: status 413 without a code of the service.
    #[must_use]
    pub(crate) fn is_body_limit_of_proxy(&self) -> bool {
        matches!(self, Self::Api(error) if error.status == 413 && error.code.is_none())
    }

    /// Returns whether a later process may resume the transfer that failed with this error.
    #[must_use]
    pub(crate) fn is_resumable(&self) -> bool {
        // A captive portal or another network may cause certificate, TLS and redirect errors.
        let is_elsewhere = matches!(self, Self::Certificate { .. } | Self::NotTls { .. } | Self::Redirected { .. });
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

/// Finds the TLS error in the source chain of `error`.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut next = error.source();
    while let Some(cause) = next {
        // `io::Error::source` skips the inner error and returns the inner error's source.
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = inner.and_then(|inner| inner.downcast_ref()).or_else(|| cause.downcast_ref());
        if tls.is_some() {
            return tls;
        }
        next = inner.map_or_else(|| cause.source(), |inner| Some(inner as &(dyn StdError + 'static)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api_error(status: u16, code: Option<ErrorCode>) -> ApiError {
        ApiError {
            status,
            code,
            code_text: String::new(),
            detail: String::new(),
            request_id: None,
            limit_bytes: None,
            received_bytes: None,
            retry_after: None,
        }
    }

    #[test]
    fn only_transient_errors_are_retried() {
        for (status, code, transient) in [
            (429, Some(ErrorCode::RateLimited), true),
            (429, Some(ErrorCode::QuotaExceeded), false),
            (503, Some(ErrorCode::StorageUnavailable), true),
            (507, Some(ErrorCode::StorageFull), false),
            (502, None, true),
            (404, Some(ErrorCode::TransferNotFound), false),
            (409, Some(ErrorCode::UploadInProgress), false),
        ] {
            assert_eq!(api_error(status, code).is_transient(), transient, "{status} {code:?}");
        }
    }
}
