//! Byte ranges of a payload that a download still has to pass on.

use std::collections::VecDeque;
use std::ops::Range;

/// Byte ranges of a payload, in the order in which they are passed on.
#[derive(Clone, Debug)]
pub(super) struct WantedRanges {
    missing: VecDeque<Range<u64>>,
    /// Bytes that count as transferred: passed on, or present from the start.
    transferred: u64,
}

impl WantedRanges {
    /// Wants a payload of `size` bytes from `offset` on.
    pub(super) fn from(offset: u64, size: u64) -> Self {
        Self { missing: std::iter::once(offset..size).filter(|range| !range.is_empty()).collect(), transferred: offset }
    }

    /// Wants several ranges, none of them empty.
    pub(super) fn of(ranges: impl IntoIterator<Item = Range<u64>>) -> Self {
        Self { missing: ranges.into_iter().collect(), transferred: 0 }
    }

    /// Returns the next range that is missing.
    pub(super) fn next(&self) -> Option<Range<u64>> {
        self.missing.front().cloned()
    }

    /// Returns all missing ranges in parts of at most `step` bytes.
    pub(super) fn parts(&self, step: u64) -> impl Iterator<Item = Range<u64>> + use<> {
        self.missing.clone().into_iter().flat_map(move |range| {
            let count = (range.end - range.start).div_ceil(step);
            (0..count).map(move |number| {
                let start = range.start + number * step;
                start..(start + step).min(range.end)
            })
        })
    }

    /// Records that the next `bytes` were passed on. More bytes than the last range has are ignored.
    pub(super) fn advance(&mut self, mut bytes: u64) {
        while let Some(range) = self.missing.front_mut().filter(|_| bytes > 0) {
            let taken = bytes.min(range.end - range.start);
            range.start += taken;
            bytes -= taken;
            self.transferred += taken;
            if range.is_empty() {
                self.missing.pop_front();
            }
        }
    }

    /// Returns the number of bytes transferred.
    pub(super) const fn progress(&self) -> u64 {
        self.transferred
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_passed_on_in_order() {
        let mut wanted = WantedRanges::of([0..10, 20..25]);
        assert_eq!(wanted.parts(4).collect::<Vec<_>>(), [0..4, 4..8, 8..10, 20..24, 24..25]);
        wanted.advance(4);
        assert_eq!((wanted.next(), wanted.progress()), (Some(4..10), 4));
        wanted.advance(7);
        assert_eq!((wanted.next(), wanted.progress()), (Some(21..25), 11));
        wanted.advance(100);
        assert_eq!((wanted.next(), wanted.progress()), (None, 15));
        assert_eq!(WantedRanges::from(5, 5).next(), None);
        assert_eq!((WantedRanges::from(5, 7).next(), WantedRanges::from(5, 7).progress()), (Some(5..7), 5));
    }
}
