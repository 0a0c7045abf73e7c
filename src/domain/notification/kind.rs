//! Kinds of notifications.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Kind of a notification, as `noun.verb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum NotificationKind {
    /// The upload finished.
    #[serde(rename = "transfer.completed")]
    TransferCompleted,
    /// The first download was counted.
    #[serde(rename = "transfer.first_download")]
    TransferFirstDownload,
    /// A download was counted, the first one or a later one.
    #[serde(rename = "transfer.downloaded")]
    TransferDownloaded,
    /// The download limit was reached.
    #[serde(rename = "transfer.exhausted")]
    TransferExhausted,
    /// Nobody has downloaded the transfer, which expires soon.
    #[serde(rename = "transfer.expiring_unclaimed")]
    TransferExpiringUnclaimed,
    /// The transfer expired.
    #[serde(rename = "transfer.expired")]
    TransferExpired,
    /// The transfer was deleted.
    #[serde(rename = "transfer.deleted")]
    TransferDeleted,
    /// A link of the transfer was revoked.
    #[serde(rename = "link.revoked")]
    LinkRevoked,
    /// The upload of a guest for a request finished.
    #[serde(rename = "request.received")]
    RequestReceived,
}

impl NotificationKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::TransferCompleted,
        Self::TransferFirstDownload,
        Self::TransferDownloaded,
        Self::TransferExhausted,
        Self::TransferExpiringUnclaimed,
        Self::TransferExpired,
        Self::TransferDeleted,
        Self::LinkRevoked,
        Self::RequestReceived,
    ];

    /// Returns the name of the kind in notifications.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransferCompleted => "transfer.completed",
            Self::TransferFirstDownload => "transfer.first_download",
            Self::TransferDownloaded => "transfer.downloaded",
            Self::TransferExhausted => "transfer.exhausted",
            Self::TransferExpiringUnclaimed => "transfer.expiring_unclaimed",
            Self::TransferExpired => "transfer.expired",
            Self::TransferDeleted => "transfer.deleted",
            Self::LinkRevoked => "link.revoked",
            Self::RequestReceived => "request.received",
        }
    }

    /// Returns a sentence about the event, for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::TransferCompleted => "The upload finished.",
            Self::TransferFirstDownload => "The first download has begun.",
            Self::TransferDownloaded => "A download has begun.",
            Self::TransferExhausted => "The download limit is reached.",
            Self::TransferExpiringUnclaimed => "The transfer expires soon, and nobody has downloaded it.",
            Self::TransferExpired => "The transfer expired.",
            Self::TransferDeleted => "The transfer was deleted.",
            Self::LinkRevoked => "A link was revoked.",
            Self::RequestReceived => "A transfer arrived for a request.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        for kind in NotificationKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
