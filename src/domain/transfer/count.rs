//! Download count of unlimited transfers.

use super::Transfer;

/// Maximum number of kept marks: writes by other servers between a failed write and its retry.
const MAX_COUNT_MARKS: usize = 16;

impl Transfer {
    /// Adds to the download count; returns `false` if the write with this mark has done so.
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
