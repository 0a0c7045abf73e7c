//! How much of a disk stays free for everything but payloads.

use std::str::FromStr;

use bytesize::ByteSize;

/// The least that a share of a disk stands for: on a small one, a share would soon be taken up by records.
const LEAST_SHARE: u64 = 256 << 20;

/// The room that uploads leave: deletions, clean-up and records may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinFree {
    /// So many hundredths of the disk, and 256 MiB at least.
    Percent(u8),
    /// So many bytes.
    Bytes(u64),
}

/// How much room there is where a store lives, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What this process may still write.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// A text that is neither a share nor a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is written like 5% or 10GiB, and a share is at most 99%")]
pub struct InvalidMinFree;

impl MinFree {
    /// Whether `bytes` more leave enough of `room`.
    #[must_use]
    pub fn leaves(self, room: Room, bytes: u64) -> bool {
        let kept = match self {
            Self::Percent(percent) => (room.total / 100).saturating_mul(u64::from(percent)).max(LEAST_SHARE),
            Self::Bytes(bytes) => bytes,
        };
        room.free >= kept.saturating_add(bytes)
    }
}

impl Default for MinFree {
    fn default() -> Self {
        Self::Percent(5)
    }
}

impl FromStr for MinFree {
    type Err = InvalidMinFree;

    fn from_str(text: &str) -> Result<Self, InvalidMinFree> {
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.parse().map_err(|_| InvalidMinFree)?;
                if percent < 100 { Ok(Self::Percent(percent)) } else { Err(InvalidMinFree) }
            }
            None => text.parse().map(|ByteSize(bytes)| Self::Bytes(bytes)).map_err(|_| InvalidMinFree),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn shares_and_sizes_are_read() {
        assert_eq!("5%".parse(), Ok(MinFree::default()));
        assert_eq!("0".parse(), Ok(MinFree::Bytes(0)));
        assert_eq!("10GiB".parse(), Ok(MinFree::Bytes(10 << 30)));
        for bad in ["", "%", "100%", "-1%", "5.5%", "much", "-1"] {
            assert_eq!(bad.parse::<MinFree>(), Err(InvalidMinFree), "{bad}");
        }
    }

    #[test]
    fn what_is_kept_free_is_kept_exactly() {
        let room = Room { free: 1_000 * MIB, total: 10_000 * MIB };
        let five_percent = MinFree::default();
        assert!(five_percent.leaves(room, 500 * MIB) && !five_percent.leaves(room, 500 * MIB + 1));
        let bytes = MinFree::Bytes(1_000 * MIB);
        assert!(bytes.leaves(room, 0) && !bytes.leaves(room, 1));
        let small = Room { free: 300 * MIB, total: 1_000 * MIB };
        assert!(five_percent.leaves(small, 44 * MIB) && !five_percent.leaves(small, 45 * MIB));
        assert!(!MinFree::Bytes(u64::MAX).leaves(room, u64::MAX));
    }
}
