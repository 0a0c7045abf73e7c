//! Terms of a transfer.

use std::time::Duration;

use crate::domain::crypto::digest::Sha256;
use crate::domain::notification::NotificationChoice;

/// Terms of a transfer, set by the sender at creation.
#[derive(Clone, Copy, Debug)]
pub struct TransferTerms {
    /// Encrypted size of the payload, in bytes.
    pub size_bytes: u64,
    /// Lifetime of the transfer.
    pub lifetime: Duration,
    /// Download limit; `None` means unlimited.
    pub max_downloads: Option<u32>,
    /// SHA-256 of the access proof; `None` if no proof is required.
    pub access_sha256: Option<Sha256>,
    /// Whether recipients can use further links only.
    pub own_link_closed: bool,
    /// Whether the access proof depends on a passphrase.
    pub access_from_passphrase: bool,
    /// Choice of the notifications that the transfer causes.
    pub notify: NotificationChoice,
}
