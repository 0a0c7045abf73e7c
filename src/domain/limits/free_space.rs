//! Free disk space that uploads must leave for deletions, clean-up and records.

use std::fmt;
use std::str::FromStr;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

/// Free space as last measured, and the state of a store's reserve.
///
/// The reserve is space that the store keeps allocated for deletions, clean-up and changes by the admin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceReading {
    /// Free and total space; `None` if the backend has no known limit.
    pub space: Option<FreeSpace>,
    /// Reserve; `None` if the backend has none.
    pub reserve: Option<Reserve>,
    /// Whether the store rejects ordinary writes, because a write found no free space.
    pub is_full: bool,
}

/// Reserve of a store, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserve {
    /// Bytes that are allocated.
    pub held: u64,
    /// Bytes that are allocated while there is room.
    pub target: u64,
}

/// Amount of free space, compared with the minimum that uploads must leave.
///
/// Ordered: each level has less free space than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FreeSpaceLevel {
    /// Uploads are accepted.
    Ample,
    /// Uploads are rejected.
    BelowMinimum,
    /// Less than half of the minimum is free.
    BelowHalfMinimum,
    /// Ordinary writes fail; only the store's reserve is left.
    Full,
}

impl SpaceReading {
    /// Compares the free space with the minimum that uploads must leave.
    #[must_use]
    pub fn level(&self, min_free: MinFreeSpace) -> FreeSpaceLevel {
        match self.space {
            _ if self.is_full => FreeSpaceLevel::Full,
            Some(space) if space.free < min_free.bytes_of(space) / 2 => FreeSpaceLevel::BelowHalfMinimum,
            Some(space) if !min_free.allows(space, 0) => FreeSpaceLevel::BelowMinimum,
            _ => FreeSpaceLevel::Ample,
        }
    }
}

/// Text that is neither a percentage below 100% nor a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a percentage up to 99% or a size, such as 5% or 10GiB")]
pub struct InvalidMinFreeSpace;

impl MinFreeSpace {
    /// Returns whether writing `bytes` more bytes leaves enough of the free space `space`.
    #[must_use]
    pub fn allows(self, space: FreeSpace, bytes: u64) -> bool {
        space.free >= self.bytes_of(space).saturating_add(bytes)
    }

    /// Returns the minimum in bytes on the disk of `space`.
    #[must_use]
    pub fn bytes_of(self, space: FreeSpace) -> u64 {
        match self {
            Self::Percent(percent) => (space.total / 100).saturating_mul(u64::from(percent)).max(MIN_RESERVE),
            Self::Bytes(bytes) => bytes,
        }
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

    #[test]
    fn levels_follow_the_minimum_and_failed_writes() {
        let min_free = MinFreeSpace::Bytes(100 * MIB);
        let level = |free, is_full| {
            let space = Some(FreeSpace { free, total: 10_000 * MIB });
            SpaceReading { space, is_full, ..SpaceReading::default() }.level(min_free)
        };
        assert_eq!(level(100 * MIB, false), FreeSpaceLevel::Ample);
        assert_eq!(level(100 * MIB - 1, false), FreeSpaceLevel::BelowMinimum);
        assert_eq!(level(50 * MIB, false), FreeSpaceLevel::BelowMinimum);
        assert_eq!(level(50 * MIB - 1, false), FreeSpaceLevel::BelowHalfMinimum);
        assert_eq!(level(100 * MIB, true), FreeSpaceLevel::Full);
        // A backend without a known limit has ample space until a write fails.
        assert_eq!(SpaceReading::default().level(min_free), FreeSpaceLevel::Ample);
        assert_eq!(SpaceReading { is_full: true, ..SpaceReading::default() }.level(min_free), FreeSpaceLevel::Full);
        assert!(
            FreeSpaceLevel::Ample < FreeSpaceLevel::BelowMinimum
                && FreeSpaceLevel::BelowHalfMinimum < FreeSpaceLevel::Full
        );
    }
}
