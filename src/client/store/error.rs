//! What goes wrong between a client and a payload store.

use std::time::Duration;

use http::header::RETRY_AFTER;
use reqwest::Response;

use crate::client::{ClientError, Origin};

/// How much of a refusal is read, in bytes: enough for the beginning of any, where its code stands.
const MAX_REFUSAL_BYTES: usize = 4 * 1024;
/// The longest code that is taken for one.
const MAX_CODE: usize = 64;
/// The longest wait that a store can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);

/// A request to the payload store that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There was no connection to it.
    #[error(transparent)]
    NotReached(ClientError),
    /// The connection to it was lost.
    #[error(transparent)]
    Lost(ClientError),
    /// A service that is elsewhere has sent us to this machine.
    #[error("the server keeps payloads at {origin}, which is another machine from here")]
    OnThisMachine {
        /// Where.
        origin: Origin,
    },
    /// It refused.
    #[error("the payload store {origin} refused with {}", in_words(*status, code.as_deref()))]
    Refused {
        /// Who.
        origin: Origin,
        /// The HTTP status.
        status: u16,
        /// The store's own code: letters and digits.
        code: Option<String>,
        /// When another try makes sense.
        retry_after: Option<Duration>,
    },
}

fn in_words(status: u16, code: Option<&str>) -> String {
    code.map_or_else(|| format!("status {status}"), |code| format!("{code} (status {status})"))
}

impl From<StoreError> for ClientError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl StoreError {
    /// Sorts an error of a request to `origin`.
    pub(super) fn of_request(origin: Origin, error: reqwest::Error) -> Self {
        let connects = error.is_connect();
        match ClientError::of_request(origin, error) {
            error if connects => Self::NotReached(error),
            error @ (ClientError::Certificate { .. } | ClientError::NotTls { .. }) => Self::NotReached(error),
            error => Self::Lost(error),
        }
    }

    /// A request that stood still, after bytes have `moved` or before.
    pub(in crate::client) const fn stalled(error: ClientError, moved: bool) -> Self {
        if moved { Self::Lost(error) } else { Self::NotReached(error) }
    }

    /// Reads a refusal. Never fails: a status without words is a refusal too.
    pub(super) async fn of_answer(origin: Origin, response: Response) -> Self {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
        let code = code_in(&beginning_of(response).await);
        Self::Refused { origin, status, code, retry_after }
    }

    /// Whether the same request may be granted a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotReached(error) | Self::Lost(error) => error.is_transient(),
            Self::OnThisMachine { .. } => false,
            // 409 is another write of the same object, which ends.
            Self::Refused { status: 408 | 409 | 429 | 500 | 502 | 503 | 504, .. } => true,
            // Said with status 400, of connections that were too slow or broke.
            Self::Refused { code, .. } => matches!(code.as_deref(), Some("RequestTimeout" | "IncompleteBody")),
        }
    }

    /// Whether there is no way to the store from here.
    #[must_use]
    pub const fn is_out_of_reach(&self) -> bool {
        matches!(self, Self::NotReached(_) | Self::OnThisMachine { .. })
    }

    /// The status that it refused with, if it did.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            // The credentials that the URL was signed with ran out before it did: AWS says so with 400.
            Self::Refused { code, .. } if code.as_deref() == Some("ExpiredToken") => Some(403),
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// When the store says that another try makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::NotReached(error) | Self::Lost(error) => error.retry_after(),
            Self::OnThisMachine { .. } => None,
        }
    }
}

async fn beginning_of(mut response: Response) -> Vec<u8> {
    let mut beginning = Vec::new();
    while beginning.len() < MAX_REFUSAL_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        beginning.extend_from_slice(&chunk[..chunk.len().min(MAX_REFUSAL_BYTES - beginning.len())]);
    }
    beginning
}

/// The code in a refusal as S3 writes it.
pub(in crate::client) fn code_in(xml: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(xml);
    let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
    let sound = (1..=MAX_CODE).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    sound.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_word() {
        let code = |xml: &str| code_in(xml.as_bytes());
        let said = "<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code><Message>Please</Message></Error>";
        assert_eq!(code(said), Some("SlowDown".into()));
        for none in ["", "<Code>", "<Code></Code>", "<Code>a b</Code>", "<Code>\u{1b}[31m</Code>", "<Code>é</Code>"] {
            assert_eq!(code(none), None, "{none}");
        }
        assert_eq!(code(&format!("<Code>{}</Code>", "x".repeat(65))), None);
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        let refused = |status, code: Option<&str>| {
            let origin = Origin::of(&"https://b.example".parse().unwrap());
            StoreError::Refused { origin, status, code: code.map(str::to_owned), retry_after: None }.is_transient()
        };
        assert!(refused(503, Some("SlowDown")) && refused(500, None) && refused(400, Some("RequestTimeout")));
        assert!(!refused(403, Some("AccessDenied")) && !refused(404, None) && !refused(400, Some("BadDigest")));
    }
}
