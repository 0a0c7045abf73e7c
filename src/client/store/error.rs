//! Errors of requests to a payload store.

use std::time::Duration;

use http::header::RETRY_AFTER;
use reqwest::Response;

use crate::client::http::fault::forbidden_address;
use crate::client::{ClientError, Destination, Origin, Reach};

/// Maximum number of bytes read of an error response; the error code is at its beginning.
const MAX_ERROR_BYTES: usize = 4 * 1024;
/// Maximum length of an error code, in characters.
const MAX_CODE: usize = 64;
/// Maximum `Retry-After` that is honoured.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);

/// Failed request to the payload store.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// No connection to the store could be made.
    #[error(transparent)]
    Unreachable(ClientError),
    /// The connection to the store was lost.
    #[error(transparent)]
    Lost(ClientError),
    /// The service returned a URL to an address to which it may not direct this client.
    #[error("the server names {origin} as its payload store, which is at {reach}")]
    ForbiddenAddress {
        /// Origin of the URL.
        origin: Origin,
        /// Class of the address.
        reach: Reach,
    },
    /// A service that was reached over https returned a URL without https.
    #[error("the server names {origin} as its payload store, without https, although the server itself uses https")]
    Unencrypted {
        /// Origin of the URL.
        origin: Origin,
    },
    /// The store returned an error response.
    #[error("the payload store {origin} refused with {}", status_text(*status, code.as_deref()))]
    ErrorResponse {
        /// The store's origin.
        origin: Origin,
        /// The HTTP status.
        status: u16,
        /// The store's own error code: ASCII letters and digits.
        code: Option<String>,
        /// Delay before the next retry, as requested by the store.
        retry_after: Option<Duration>,
    },
}

fn status_text(status: u16, code: Option<&str>) -> String {
    code.map_or_else(|| format!("status {status}"), |code| format!("{code} (status {status})"))
}

impl From<BucketError> for ClientError {
    fn from(error: BucketError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl BucketError {
    /// Classifies a transport error of a request to `destination`.
    pub(super) fn of_request(destination: &Destination, error: reqwest::Error) -> Self {
        if let Some(reach) = forbidden_address(&error) {
            return Self::ForbiddenAddress { origin: destination.origin().clone(), reach };
        }
        let connects = error.is_connect();
        match ClientError::of_request(destination, error) {
            error if connects => Self::Unreachable(error),
            error @ (ClientError::Certificate { .. } | ClientError::NotTls { .. } | ClientError::NotHttp { .. }) => {
                Self::Unreachable(error)
            }
            error => Self::Lost(error),
        }
    }

    /// Classifies a stalled request: lost if any bytes were sent, otherwise the store was unreachable.
    pub(in crate::client) const fn stalled(error: ClientError, has_sent: bool) -> Self {
        if has_sent { Self::Lost(error) } else { Self::Unreachable(error) }
    }

    /// Parses an error response. Never fails: a response without a code is an error with its status alone.
    pub(super) async fn of_response(origin: Origin, response: Response) -> Self {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
        let code = code_in(&read_beginning(response).await);
        Self::ErrorResponse { origin, status, code, retry_after }
    }

    /// Returns whether a retry of the same request may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(error) | Self::Lost(error) => error.is_transient(),
            Self::ForbiddenAddress { .. } | Self::Unencrypted { .. } => false,
            // 409 is a concurrent write of the same object, which ends.
            Self::ErrorResponse { status: 408 | 409 | 429 | 500 | 502 | 503 | 504, .. } => true,
            // Sent with status 400 after slow or broken connections.
            Self::ErrorResponse { code, .. } => matches!(code.as_deref(), Some("RequestTimeout" | "IncompleteBody")),
        }
    }

    /// Returns whether the store cannot be reached from this machine, or must not be.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::ForbiddenAddress { .. } | Self::Unencrypted { .. })
    }

    /// Returns whether the store, or something on the way to the store, refuses this client.
    ///
    /// Other requests would be refused, too. The responses are redirects, refused permissions (an expired or altered signature, a clock, an address that the bucket's
    /// policy excludes), and responses without the error code that each response of a store has: they are from a proxy, a
    /// filter or a login page of the network. A 403 may also concern the URL alone, so callers try a fresh URL first.
    #[must_use]
    pub fn is_refusing(&self) -> bool {
        match self {
            Self::ErrorResponse { code: None, .. } => true,
            Self::ErrorResponse { .. } => matches!(self.status(), Some(300..=399 | 401 | 403 | 407 | 451 | 511)),
            _ => false,
        }
    }

    /// Returns the HTTP status of an error response of the store; `None` for other errors.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            // AWS sends 400 if the credentials behind the URL expired before the URL itself: handled as an expired URL.
            Self::ErrorResponse { code, .. } if code.as_deref() == Some("ExpiredToken") => Some(403),
            Self::ErrorResponse { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Returns the retry delay that the store requested.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ErrorResponse { retry_after, .. } => *retry_after,
            Self::Unreachable(error) | Self::Lost(error) => error.retry_after(),
            Self::ForbiddenAddress { .. } | Self::Unencrypted { .. } => None,
        }
    }
}

async fn read_beginning(mut response: Response) -> Vec<u8> {
    let mut beginning = Vec::new();
    while beginning.len() < MAX_ERROR_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        beginning.extend_from_slice(&chunk[..chunk.len().min(MAX_ERROR_BYTES - beginning.len())]);
    }
    beginning
}

/// Extracts the error code from an S3 error response in XML.
pub(in crate::client) fn code_in(xml: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(xml);
    let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
    let is_valid = (1..=MAX_CODE).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_valid.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_code_is_one_alphanumeric_word() {
        let code = |xml: &str| code_in(xml.as_bytes());
        let xml = "<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code><Message>Please</Message></Error>";
        assert_eq!(code(xml), Some("SlowDown".into()));
        for none in ["", "<Code>", "<Code></Code>", "<Code>a b</Code>", "<Code>\u{1b}[31m</Code>", "<Code>é</Code>"] {
            assert_eq!(code(none), None, "{none}");
        }
        assert_eq!(code(&format!("<Code>{}</Code>", "x".repeat(65))), None);
    }

    #[test]
    fn refusals_are_told_from_faults_of_a_store() {
        let is_refusing = |status, code: Option<&str>| {
            let origin = Origin::of(&"https://b.example".parse().unwrap());
            BucketError::ErrorResponse { origin, status, code: code.map(str::to_owned), retry_after: None }
                .is_refusing()
        };
        for (status, code) in [
            (403, "RequestTimeTooSkewed"),
            (403, "SignatureDoesNotMatch"),
            (403, "AccessDenied"),
            (400, "ExpiredToken"),
            (307, "TemporaryRedirect"),
            (301, "PermanentRedirect"),
        ] {
            assert!(is_refusing(status, Some(code)), "{status} {code}");
        }
        for status in [302, 400, 401, 403, 404, 405, 407, 413, 451, 500, 502, 503, 504, 511] {
            assert!(is_refusing(status, None), "{status}");
        }
        for (status, code) in [
            (400, "EntityTooLarge"),
            (400, "BadDigest"),
            (404, "NoSuchUpload"),
            (412, "PreconditionFailed"),
            (500, "InternalError"),
            (503, "SlowDown"),
        ] {
            assert!(!is_refusing(status, Some(code)), "{status} {code}");
        }
    }

    #[test]
    fn only_transient_errors_are_retried() {
        let error_response = |status, code: Option<&str>| {
            let origin = Origin::of(&"https://b.example".parse().unwrap());
            BucketError::ErrorResponse { origin, status, code: code.map(str::to_owned), retry_after: None }
                .is_transient()
        };
        assert!(
            error_response(503, Some("SlowDown"))
                && error_response(500, None)
                && error_response(400, Some("RequestTimeout"))
        );
        assert!(
            !error_response(403, Some("AccessDenied"))
                && !error_response(404, None)
                && !error_response(400, Some("BadDigest"))
        );
    }
}
