//! Pieces of an upload through the service: the byte range of each request.

use std::ops::Range;

use crate::domain::crypto::sealed::SEGMENT_SIZE;

/// Maximum size of a piece in bytes: 8 segments.
const MAX_PIECE: u64 = 8 * SEGMENT_SIZE as u64;
/// Minimum size of a piece in bytes: the default limit of nginx (`client_max_body_size 1m`).
pub(super) const MIN_PIECE: u64 = SEGMENT_SIZE as u64;

/// Size of the pieces of one upload.
///
/// A proxy may limit the size of a request body, and forward only complete bodies. With pieces, any limit of at least
/// 1 MiB suffices, and a lost connection costs at most one piece.
#[derive(Debug)]
pub(super) struct PieceSize(u64);

impl Default for PieceSize {
    fn default() -> Self {
        Self(MAX_PIECE)
    }
}

impl PieceSize {
    /// Returns the piece that starts at `offset` of a payload of `size` bytes.
    ///
    /// The piece ends at a multiple of the piece size, so that the next one starts with a whole segment.
    pub(super) fn range(&self, offset: u64, size: u64) -> Range<u64> {
        offset..((offset / self.0 + 1) * self.0).min(size)
    }

    /// Halves the size; returns `false` at the minimum.
    pub(super) fn halve(&mut self) -> bool {
        let halved = (self.0 / 2).max(MIN_PIECE);
        std::mem::replace(&mut self.0, halved) > halved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_payload_and_end_at_segments() {
        let mut piece = PieceSize::default();
        assert_eq!(piece.range(0, 5), 0..5);
        assert_eq!(piece.range(0, MAX_PIECE), 0..MAX_PIECE);
        assert_eq!(piece.range(3, MAX_PIECE + 1), 3..MAX_PIECE);
        assert_eq!(piece.range(MAX_PIECE, MAX_PIECE + 1), MAX_PIECE..MAX_PIECE + 1);
        let halvings = std::iter::from_fn(|| piece.halve().then_some(piece.0)).collect::<Vec<_>>();
        assert_eq!(halvings, [4 << 20, 2 << 20, 1 << 20]);
        assert_eq!(piece.range(MIN_PIECE + 7, MAX_PIECE), MIN_PIECE + 7..2 * MIN_PIECE);
    }
}
