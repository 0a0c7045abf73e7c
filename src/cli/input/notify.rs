//! Values of `--notify`.

use clap::ValueEnum;

use crate::domain::notification::NotificationChoice;

/// Choice of the notifications that a transfer causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NotifyName {
    /// About upload, first download, download limit, reminder before the expiry, and end
    First,
    /// Also about each download
    Every,
    /// None
    Never,
}

impl From<NotifyName> for NotificationChoice {
    fn from(name: NotifyName) -> Self {
        match name {
            NotifyName::First => Self::First,
            NotifyName::Every => Self::Every,
            NotifyName::Never => Self::Never,
        }
    }
}
