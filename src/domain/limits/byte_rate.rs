//! Byte rates of payloads: the schedule by which connections share a rate.

use std::time::Duration;

use tokio::time::Instant;

/// Lowest byte rate, in bytes per second. Servers and stores abort slower transfers as stalled.
pub const MIN_BYTE_RATE: u64 = 4 * 1024;

/// Number of pieces per second.
///
/// Connections that share a low rate take turns within their timeouts.
const PIECES_PER_SECOND: u64 = 32;
/// Smallest piece, in bytes.
const MIN_PIECE: u64 = 512;
/// Largest piece, in bytes: socket writes of 64 KiB would reduce the throughput of a high rate.
const MAX_PIECE: u64 = 256 * 1024;
/// Rate that one connection reaches without help of others, in bytes per second.
const RATE_OF_ONE_CONNECTION: u64 = 8 << 20;
/// Time by which bytes may lag behind the rate and still catch up.
///
/// Timers are late, and packets get lost. It bounds the burst after a pause. Over 20 s, it is an error of 2.5 %.
const MAX_LAG: Duration = Duration::from_millis(500);

/// Number of payload bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRate(u64);

/// Time at which the bytes of a schedule may be passed on, and at which the next ones may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteTurn {
    /// Start of the turn.
    pub(crate) start: Instant,
    /// Start of the next turn.
    pub(crate) end: Instant,
}

impl ByteRate {
    /// Returns the rate of `bytes` per second; `None` below [`MIN_BYTE_RATE`].
    #[must_use]
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes < MIN_BYTE_RATE { None } else { Some(Self(bytes)) }
    }

    /// Returns the number of bytes per second.
    #[must_use]
    pub const fn bytes_per_second(self) -> u64 {
        self.0
    }

    /// Returns the largest number of bytes for one turn.
    pub(crate) fn piece_bytes(self) -> usize {
        let piece = (self.0 / PIECES_PER_SECOND).clamp(MIN_PIECE, MAX_PIECE);
        usize::try_from(piece).expect("a piece fits into memory")
    }

    /// Returns the number of connections that use the rate, at most `max`.
    ///
    /// Each connection has buffers in the system, which are filled at once.
    pub(crate) fn connections(self, max: usize) -> usize {
        usize::try_from(self.0 / RATE_OF_ONE_CONNECTION).unwrap_or(max).clamp(1, max)
    }

    /// Returns the turn of `bytes` bytes in a schedule whose next turn starts at `free_at`.
    ///
    /// A new schedule has no such time, and starts now.
    pub(crate) fn turn(self, free_at: Option<Instant>, bytes: usize, now: Instant) -> ByteTurn {
        let earliest = now.checked_sub(MAX_LAG).unwrap_or(now);
        let start = free_at.unwrap_or(now).max(earliest);
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.0);
        ByteTurn { start, end: start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(bytes: u64) -> ByteRate {
        ByteRate::new(bytes).unwrap()
    }

    #[test]
    fn turns_follow_each_other_at_the_rate() {
        let (rate, now) = (rate(1_000_000), Instant::now());
        let first = rate.turn(None, 100_000, now);
        assert_eq!(first, ByteTurn { start: now, end: now + Duration::from_millis(100) });
        let second = rate.turn(Some(first.end), 50_000, now);
        assert_eq!(second, ByteTurn { start: first.end, end: first.end + Duration::from_millis(50) });
    }

    #[test]
    fn a_late_turn_catches_up_but_a_pause_gives_no_large_burst() {
        let (rate, now) = (rate(1_000_000), Instant::now() + Duration::from_mins(1));
        let late = now.checked_sub(Duration::from_millis(5)).unwrap();
        assert_eq!(rate.turn(Some(late), 1_000, now).start, late);
        let paused = now.checked_sub(Duration::from_secs(30)).unwrap();
        assert_eq!(rate.turn(Some(paused), 1_000, now).start, now.checked_sub(MAX_LAG).unwrap());
    }

    #[test]
    fn pieces_and_connections_follow_the_rate() {
        assert_eq!(ByteRate::new(MIN_BYTE_RATE - 1), None);
        for (bytes, piece, connections) in
            [(MIN_BYTE_RATE, 512, 1), (2 << 20, 64 << 10, 1), (20 << 20, 256 << 10, 2), (u64::MAX, 256 << 10, 4)]
        {
            assert_eq!((rate(bytes).piece_bytes(), rate(bytes).connections(4)), (piece, connections), "{bytes}");
        }
    }
}
