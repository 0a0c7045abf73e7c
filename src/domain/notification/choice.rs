//! The sender's choice of notifications.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::NotificationKind;

/// Choice of the notifications that a transfer causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NotificationChoice {
    /// All kinds except `transfer.downloaded`, so of the downloads the first one only.
    #[default]
    First,
    /// All kinds.
    Every,
    /// None.
    Never,
}

impl NotificationChoice {
    /// Returns whether the sender wants notifications of `kind`.
    #[must_use]
    pub const fn includes(self, kind: NotificationKind) -> bool {
        match self {
            Self::Every => true,
            Self::First => !matches!(kind, NotificationKind::TransferDownloaded),
            Self::Never => false,
        }
    }

    /// Returns the value of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Every => "every",
            Self::Never => "never",
        }
    }

    /// Returns whether this is the default.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_every_includes_later_downloads() {
        for kind in NotificationKind::ALL {
            assert!(NotificationChoice::Every.includes(kind), "{kind:?}");
            assert!(!NotificationChoice::Never.includes(kind), "{kind:?}");
            let is_later = kind == NotificationKind::TransferDownloaded;
            assert_eq!(NotificationChoice::First.includes(kind), !is_later, "{kind:?}");
        }
    }
}
