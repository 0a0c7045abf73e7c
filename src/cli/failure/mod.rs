//! Failures as users and scripts see them: message, hint, error code and exit status.

pub(super) mod exit;
pub(super) mod table;
pub(super) mod usage;

use std::borrow::Cow;

use bytesize::ByteSize;
use serde::Serialize;

use crate::cli::failure::exit::Exit;
use crate::client::Signal;

/// Hint for a proxy that refuses the requests of an upload.
pub(crate) const RAISE_BODY_LIMIT: &str =
    "raise the proxy's limit on request bodies to 8 MiB or more (nginx: client_max_body_size 8m)";

/// A command that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// The exit status.
    pub exit: Exit,
    /// Stable error code: the server's code for an error response, otherwise a code of the command line.
    pub code: Cow<'static, str>,
    /// Detail of the code: why a transfer has ended (`expired`, `exhausted` or `deleted`).
    pub reason: Option<&'static str>,
    /// Error message, shown behind `error:`.
    pub message: String,
    /// Suggested fix, shown behind `hint:`.
    pub hint: Option<String>,
    /// Whether the same command may succeed later.
    pub retryable: bool,
    /// Whether `--resume` can continue; set for interrupted and resumable commands only.
    pub resumable: Option<bool>,
}

/// `{"v":1,"ok":false,"error":{…}}`
#[derive(Serialize)]
pub(crate) struct FailureJson<'a> {
    v: u8,
    ok: bool,
    error: FailureMembers<'a>,
}

#[derive(Serialize)]
struct FailureMembers<'a> {
    code: &'a str,
    reason: Option<&'a str>,
    message: &'a str,
    hint: Option<&'a str>,
    exit: u8,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumable: Option<bool>,
}

impl Failure {
    /// Creates a failure without a hint that is not retryable.
    pub(super) fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.into(),
            reason: None,
            message: message.into(),
            hint: None,
            retryable: false,
            resumable: None,
        }
    }

    /// Creates a failure for a wrong command line or a malformed value (exit status 2).
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// Sets the hint.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Marks the failure as retryable.
    pub(super) const fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Describes a content that is larger than the user accepts.
    pub(super) fn download_too_large(size: u64, limit: ByteSize) -> Self {
        let message = format!("the content of this transfer has {}, more than {limit}", ByteSize(size));
        Self::new(Exit::LimitExceeded, "download_too_large", message)
    }

    /// Creates the failure of a command ended by a signal.
    pub(super) fn interrupted(signal: Signal) -> Self {
        let (exit, code) = match signal {
            Signal::Interrupt => (Exit::Interrupted, "interrupted"),
            Signal::Terminate => (Exit::Terminated, "terminated"),
        };
        Self { resumable: Some(false), ..Self::new(exit, code, code) }
    }

    /// Converts `error` by the failure table.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        table::of(error)
    }

    /// Returns the JSON form of the failure.
    pub(crate) fn to_json(&self) -> FailureJson<'_> {
        FailureJson {
            v: 1,
            ok: false,
            error: FailureMembers {
                code: &self.code,
                reason: self.reason,
                message: &self.message,
                hint: self.hint.as_deref(),
                exit: self.exit.number(),
                retryable: self.retryable,
                resumable: self.resumable,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_documented_form() {
        let failure = Failure::usage("no").hint("yes");
        let json = serde_json::to_string(&failure.to_json()).unwrap();
        assert_eq!(
            json,
            r#"{"v":1,"ok":false,"error":{"code":"usage","reason":null,"message":"no","hint":"yes","exit":2,"retryable":false}}"#
        );
        let interrupted = serde_json::to_value(Failure::interrupted(Signal::Terminate).to_json()).unwrap();
        assert_eq!(interrupted["error"]["exit"], 143);
        assert_eq!(interrupted["error"]["resumable"], false);
    }
}
