//! Values of `--notify`.

use clap::ValueEnum;

use crate::domain::notification::NotificationChoice;

/// Which notifications a transfer causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NotifyName {
    /// About the upload, the first download, the download limit, the reminder before the expiry, and the end
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
