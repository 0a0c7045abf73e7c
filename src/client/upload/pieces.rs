//! Pieces of an upload through the service: the byte range of each request.

use std::ops::Range;
use std::time::Duration;

use crate::domain::crypto::sealed::SEGMENT_SIZE;

/// Size of the first piece in bytes: 8 segments.
pub const FIRST_PIECE: u64 = 8 * SEGMENT_SIZE as u64;
/// Maximum size of a piece in bytes.
const MAX_PIECE: u64 = 256 * SEGMENT_SIZE as u64;
/// Minimum size of a piece in bytes: the default limit of nginx (`client_max_body_size 1m`).
pub const MIN_PIECE: u64 = SEGMENT_SIZE as u64;
/// Time of sending below which the next piece is larger. Waiting for responses would slow fast connections.
const SHORT_TIME: Duration = Duration::from_secs(1);
/// Number of lost pieces in a row after which the pieces become smaller than the first.
const MAX_LOST_PIECES: u32 = 2;

/// Size of the pieces of one upload.
///
/// A proxy may limit the size of a request body, and forward only complete bodies. With pieces, any limit of at least
/// 1 MiB suffices, and a lost connection costs at most 8 MiB, or a few seconds of sending.
#[derive(Debug)]
pub(super) struct PieceSize {
    /// Power of two.
    size: u64,
    /// Maximum size that this upload has not failed with.
    max: u64,
    /// Number of lost pieces since the last one that arrived.
    lost: u32,
}

impl Default for PieceSize {
    fn default() -> Self {
        Self { size: FIRST_PIECE, max: MAX_PIECE, lost: 0 }
    }
}

impl PieceSize {
    /// Returns the piece that starts at `offset` of a payload of `size` bytes.
    ///
    /// The piece ends at a multiple of the piece size, so that the next one starts with a whole segment.
    pub(super) fn range(&self, offset: u64, size: u64) -> Range<u64> {
        offset..((offset / self.size + 1) * self.size).min(size)
    }

    /// Notes that a piece has arrived, which was sent within `sending_time`.
    pub(super) fn arrived(&mut self, sending_time: Duration) {
        self.lost = 0;
        if sending_time < SHORT_TIME {
            self.size = (self.size * 2).min(self.max);
        }
    }

    /// Notes that a piece of `length` bytes was lost.
    pub(super) fn record_loss(&mut self, length: u64) {
        self.lost += 1;
        self.size = self.size.min(FIRST_PIECE);
        self.max = self.size;
        if self.lost.is_multiple_of(MAX_LOST_PIECES) {
            self.shrink_below(length);
        }
    }

    /// Makes pieces smaller than a rejected piece of `length` bytes; returns `false` at the minimum.
    pub(super) fn shrink_below(&mut self, length: u64) -> bool {
        if length <= MIN_PIECE {
            return false;
        }
        while self.size >= length && self.size > MIN_PIECE {
            self.size /= 2;
        }
        self.max = self.size;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn pieces_cover_a_payload_and_end_at_segments() {
        let mut piece = PieceSize::default();
        assert_eq!(piece.range(0, 5), 0..5);
        assert_eq!(piece.range(0, 8 * MIB), 0..8 * MIB);
        assert_eq!(piece.range(3, 8 * MIB + 1), 3..8 * MIB);
        assert_eq!(piece.range(8 * MIB, 8 * MIB + 1), 8 * MIB..8 * MIB + 1);
        while piece.size > MIB {
            assert!(piece.shrink_below(piece.size));
        }
        assert_eq!(piece.range(MIB + 7, 8 * MIB), MIB + 7..2 * MIB);
        assert!(!piece.shrink_below(MIB), "a piece below the minimum");
    }

    #[test]
    fn pieces_grow_on_a_fast_connection_up_to_a_rejected_size() {
        let mut piece = PieceSize::default();
        piece.arrived(SHORT_TIME);
        assert_eq!(piece.size, 8 * MIB);
        let sizes: Vec<_> = (0..6)
            .map(|_| {
                piece.arrived(Duration::ZERO);
                piece.size / MIB
            })
            .collect();
        assert_eq!(sizes, [16, 32, 64, 128, 256, 256]);
        // The rest of a payload: the limit is below its length.
        assert!(piece.shrink_below(100 * MIB));
        piece.arrived(Duration::ZERO);
        assert_eq!(piece.size, 64 * MIB);
    }

    #[test]
    fn lost_pieces_make_the_next_ones_smaller() {
        let mut piece = PieceSize { size: 64 * MIB, ..PieceSize::default() };
        let sizes: Vec<_> = (0..9)
            .map(|_| {
                piece.record_loss(piece.size);
                piece.size / MIB
            })
            .collect();
        assert_eq!(sizes, [8, 4, 4, 2, 2, 1, 1, 1, 1]);
        piece.arrived(Duration::ZERO);
        assert_eq!(piece.size, MIB, "a lossy connection gets small pieces for the whole upload");
    }
}
