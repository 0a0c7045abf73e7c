//! Free disk space that uploads must leave for deletions, clean-up and records.

use std::fmt;
use std::str::FromStr;

use bytesize::ByteSize;

/// Minimum of a percentage limit, in bytes (256 MiB). On a small disk, records would soon fill a smaller reserve.
const MIN_RESERVE: u64 = 256 << 20;

/// Minimum free space that uploads must leave; deletions, clean-up and records may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinFreeSpace {
    /// Percentage of the disk size, but at least 256 MiB.
    Percent(u8),
    /// Size in bytes.
    Bytes(u64),
}

/// Free and total space of the disk of a store, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// Free space available to this process, in bytes.
    pub free: u64,
    /// Disk size in bytes.
    pub total: u64,
}

/// Text that is neither a percentage below 100% nor a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a percentage up to 99% or a size, such as 5% or 10GiB")]
pub struct InvalidMinFreeSpace;

impl MinFreeSpace {
    /// Returns whether writing `bytes` more bytes leaves enough of the free space `space`.
    #[must_use]
    pub fn allows(self, space: FreeSpace, bytes: u64) -> bool {
        let reserve = match self {
            Self::Percent(percent) => (space.total / 100).saturating_mul(u64::from(percent)).max(MIN_RESERVE),
            Self::Bytes(bytes) => bytes,
        };
        space.free >= reserve.saturating_add(bytes)
    }
}

impl Default for MinFreeSpace {
    fn default() -> Self {
        Self::Percent(5)
    }
}

impl fmt::Display for MinFreeSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Bytes(bytes) => write!(f, "{bytes}"),
        }
    }
}

impl FromStr for MinFreeSpace {
    type Err = InvalidMinFreeSpace;

    fn from_str(text: &str) -> Result<Self, InvalidMinFreeSpace> {
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.parse().map_err(|_| InvalidMinFreeSpace)?;
                if percent < 100 { Ok(Self::Percent(percent)) } else { Err(InvalidMinFreeSpace) }
            }
            None => text.parse().map(|ByteSize(bytes)| Self::Bytes(bytes)).map_err(|_| InvalidMinFreeSpace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn percentages_and_sizes_are_parsed() {
        assert_eq!("5%".parse(), Ok(MinFreeSpace::default()));
        assert_eq!("0".parse(), Ok(MinFreeSpace::Bytes(0)));
        assert_eq!("10GiB".parse(), Ok(MinFreeSpace::Bytes(10 << 30)));
        for limit in [MinFreeSpace::Percent(7), MinFreeSpace::Bytes(10 << 30)] {
            assert_eq!(limit.to_string().parse(), Ok(limit));
        }
        for bad in ["", "%", "100%", "-1%", "5.5%", "much", "-1"] {
            assert_eq!(bad.parse::<MinFreeSpace>(), Err(InvalidMinFreeSpace), "{bad}");
        }
    }

    #[test]
    fn the_reserve_is_exact() {
        let space = FreeSpace { free: 1_000 * MIB, total: 10_000 * MIB };
        let five_percent = MinFreeSpace::default();
        assert!(five_percent.allows(space, 500 * MIB) && !five_percent.allows(space, 500 * MIB + 1));
        let bytes = MinFreeSpace::Bytes(1_000 * MIB);
        assert!(bytes.allows(space, 0) && !bytes.allows(space, 1));
        let small = FreeSpace { free: 300 * MIB, total: 1_000 * MIB };
        assert!(five_percent.allows(small, 44 * MIB) && !five_percent.allows(small, 45 * MIB));
        assert!(!MinFreeSpace::Bytes(u64::MAX).allows(space, u64::MAX));
    }
}
