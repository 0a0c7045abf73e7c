//! What goes wrong between a client and a server.

use std::error::Error as StdError;
use std::time::Duration;

use rustls::InvalidMessage;

use super::secret::ForeignOrigin;
use crate::client::{Origin, StoreError};
use crate::domain::error::ErrorCode;
use crate::domain::wire::Flow;

/// A request that the server did not grant, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, where this version knows it.
    pub code: Option<ErrorCode>,
    /// The code as it was sent, or `http_` and the status where none was.
    pub code_text: String,
    /// What the server says is wrong. Written by the server: to be escaped before it is shown.
    pub detail: String,
    /// The request's id in the server's records.
    pub request_id: Option<String>,
    /// The limit that was passed, in bytes.
    pub limit_bytes: Option<u64>,
    /// Bytes of the payload that have arrived.
    pub received_bytes: Option<u64>,
    /// When another try makes sense.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    /// Whether the same request may be granted a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.code {
            Some(ErrorCode::RateLimited) => true,
            // These do not pass by waiting, whatever their status.
            Some(ErrorCode::QuotaExceeded | ErrorCode::EventLimitReached | ErrorCode::StorageFull) => false,
            _ => matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504),
        }
    }
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// No connection could be made.
    #[error("cannot reach {origin}")]
    Unreachable {
        /// Where to.
        origin: Origin,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// The server could not show that it is who it should be.
    #[error("the certificate of {origin} is not trusted")]
    Certificate {
        /// Whose.
        origin: Origin,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection to {origin} broke")]
    Broken {
        /// Where to.
        origin: Origin,
        /// How.
        #[source]
        source: reqwest::Error,
    },
    /// No answer came in time.
    #[error("{origin} did not answer in time")]
    Timeout {
        /// Who.
        origin: Origin,
    },
    /// Fewer bytes came, or were kept, than should have.
    #[error("{origin} stopped before everything was transferred")]
    CutShort {
        /// Who.
        origin: Origin,
    },
    /// What should speak TLS does not.
    #[error("{origin} does not speak https")]
    NotTls {
        /// Who.
        origin: Origin,
        /// What it said instead.
        #[source]
        source: reqwest::Error,
    },
    /// API calls follow no redirects.
    #[error("{origin} redirects to another address")]
    Redirected {
        /// Who.
        origin: Origin,
        /// Where to, where that can be told.
        to: Option<String>,
    },
    /// The answer is not what this version expects.
    #[error("the answer of {origin} to `{call}` cannot be understood")]
    Answer {
        /// Whose answer.
        origin: Origin,
        /// To what.
        call: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server wants something that this version cannot do.
    #[error("{0}")]
    Unsupported(String),
    /// The payload store failed, or could not be reached.
    #[error(transparent)]
    Store(Box<StoreError>),
    /// The server does not let payloads go the way that was asked for.
    #[error("{}", match .flow {
        Flow::Presigned => format!("{origin} takes and gives payloads itself, and has no payload store"),
        Flow::Bytes => format!("{origin} leaves payloads to its payload store, and takes and gives none itself"),
    })]
    Flow {
        /// Who.
        origin: Origin,
        /// Which way was asked for.
        flow: Flow,
    },
    /// What is sent could be read on the way.
    #[error("{origin} is plain http beyond this machine, where others can read along")]
    PlainHttp {
        /// Where to.
        origin: Origin,
    },
    /// A secret belongs elsewhere.
    #[error(transparent)]
    ForeignOrigin(#[from] ForeignOrigin),
    /// A secret holds characters that no header can carry.
    #[error("the {0} holds characters that cannot be sent")]
    Unsendable(&'static str),
    /// The given root certificates cannot be used.
    #[error("the certificates to trust cannot be used")]
    Roots(#[source] reqwest::Error),
    /// Connections cannot be prepared at all.
    #[error("connections cannot be prepared")]
    Setup(#[source] reqwest::Error),
}

impl From<ApiError> for ClientError {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}

impl ClientError {
    /// Sorts an error of a request to `origin`.
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
            Self::Broken { origin, source }
        }
    }

    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Api(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Timeout { .. } | Self::CutShort { .. } => true,
            Self::Flow { .. }
            | Self::Certificate { .. }
            | Self::NotTls { .. }
            | Self::Redirected { .. }
            | Self::Answer { .. }
            | Self::Unsupported(_)
            | Self::PlainHttp { .. }
            | Self::ForeignOrigin(_)
            | Self::Unsendable(_)
            | Self::Roots(_)
            | Self::Setup(_) => false,
        }
    }

    /// The server's code, where it is a refusal whose code this version knows.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api(error) => error.code,
            _ => None,
        }
    }

    /// Whether a transfer that failed with this is worth going on with later: nothing says that it is over.
    #[must_use]
    pub(crate) fn is_worth_resuming(&self) -> bool {
        // The network may be another one than before.
        let is_elsewhere = matches!(self, Self::Certificate { .. } | Self::NotTls { .. } | Self::Redirected { .. });
        self.is_transient() || is_elsewhere || self.code() == Some(ErrorCode::UploadInProgress)
    }

    /// The status that the payload store refused with, if it did.
    #[must_use]
    pub(crate) fn store_status(&self) -> Option<u16> {
        match self {
            Self::Store(error) => error.status(),
            _ => None,
        }
    }

    /// Whether there is no way to the payload store from here.
    #[must_use]
    pub(crate) fn is_store_out_of_reach(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_out_of_reach())
    }

    /// When the server says that another try makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api(error) => error.retry_after,
            Self::Store(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// The fault of the encryption that `error` comes from, if it does.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut next = error.source();
    while let Some(cause) = next {
        // An `io::Error` names its inner error's source, not the inner error itself.
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

    fn refusal(status: u16, code: Option<ErrorCode>) -> ApiError {
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
    fn only_what_passes_is_tried_again() {
        for (status, code, transient) in [
            (429, Some(ErrorCode::RateLimited), true),
            (429, Some(ErrorCode::QuotaExceeded), false),
            (503, Some(ErrorCode::StorageUnavailable), true),
            (507, Some(ErrorCode::StorageFull), false),
            (502, None, true),
            (404, Some(ErrorCode::TransferNotFound), false),
            (409, Some(ErrorCode::UploadInProgress), false),
        ] {
            assert_eq!(refusal(status, code).is_transient(), transient, "{status} {code:?}");
        }
    }
}
