//! Download count of unlimited transfers.

use super::Transfer;

/// Maximum number of kept marks.
///
/// A retry recognises that its first attempt took effect if fewer other writes came in between. After more, the downloads
/// are counted twice.
const MAX_COUNT_MARKS: usize = 16;

impl Transfer {
    /// Adds `downloads` to the count, unless an earlier write with this `mark` added them.
    ///
    /// Returns whether the count was changed.
    pub fn add_downloads(&mut self, downloads: u64, mark: u32) -> bool {
        if self.count_marks.contains(&mark) {
            return false;
        }
        self.downloads += downloads;
        self.count_marks.push(mark);
        self.count_marks.drain(..self.count_marks.len().saturating_sub(MAX_COUNT_MARKS));
        true
    }
}
