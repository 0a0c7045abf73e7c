//! Values of the arguments of `sgsend serve`, and their parsers.

use bytesize::ByteSize;
use clap::ValueEnum;

use crate::domain::audit::IpMode;
use crate::domain::limits::{LARGEST_MAX_CONTENT_BYTES, Limits};
use crate::server::{InvalidRate, RateMode};

/// Values of `--ip-mode`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum IpModeName {
    /// A pseudonym that cannot be reversed or linked across days
    Hashed,
    /// The network only: /24 (IPv4) or /48 (IPv6)
    Truncated,
    /// No address
    None,
    /// The full address
    Full,
}

/// Values of `--durability`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DurabilityName {
    /// Acknowledged data survives power loss
    Full,
    /// Without fsync: power loss can destroy acknowledged data
    None,
}

impl From<IpModeName> for IpMode {
    fn from(name: IpModeName) -> Self {
        match name {
            IpModeName::Hashed => Self::Hashed,
            IpModeName::Truncated => Self::Truncated,
            IpModeName::None => Self::None,
            IpModeName::Full => Self::Full,
        }
    }
}

/// Parses `--rate-limit`.
pub(super) fn rate(text: &str) -> Result<RateMode, InvalidRate> {
    if text == "off" { Ok(RateMode::Unlimited) } else { text.parse().map(RateMode::Limited) }
}

/// Parses `--min-body-rate`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    text.parse().map(|ByteSize(bytes)| bytes).map_err(|_| "expected a size such as 1KiB or 0".to_owned())
}

/// Parses `--max-size`.
pub(super) fn limits(text: &str) -> Result<Limits, String> {
    let ByteSize(bytes) = text.parse().map_err(|_| "expected a size such as 500MiB or 2GiB".to_owned())?;
    Limits::with_max_content(bytes)
        .ok_or_else(|| format!("must be between 1 byte and {}", ByteSize(LARGEST_MAX_CONTENT_BYTES)))
}
