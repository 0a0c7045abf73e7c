//! The ledger of tags: no segment leaves the machine before its tag stands here, and none leaves it twice with another.

use std::io;

use super::state::StateFile;
use crate::domain::sealed::{SEGMENT_SIZE, Tag};

/// The tags of every segment that may have been sent, from the first one on.
pub(super) struct Ledger {
    tags: Vec<Tag>,
    file: Option<StateFile>,
}

/// Tags that were not recorded; the segments must not be sent.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A segment that may have been sent was sealed again with other content.
    #[error("the file changed while it was being sent")]
    Changed,
    /// A segment was to be sent before those in front of it.
    #[error("segments were sealed out of their order")]
    Order,
    /// The record could not be made durable.
    #[error("the state of the upload cannot be kept")]
    Write(#[source] io::Error),
}

impl Ledger {
    /// A ledger that ends with this process, or one that also stands in `file`.
    #[must_use]
    pub(super) const fn new(file: Option<StateFile>) -> Self {
        Self { tags: Vec::new(), file }
    }

    /// Records the tags of segments `first`, `first + 1`, … durably, and compares those recorded before. Blocks.
    pub(super) fn record(&mut self, first: u32, tags: &[Tag]) -> Result<(), LedgerError> {
        let first = first as usize;
        let known = self.tags.get(first..).unwrap_or_default();
        let again = known.len().min(tags.len());
        if known[..again] != tags[..again] {
            return Err(LedgerError::Changed);
        }
        let new = &tags[again..];
        if !new.is_empty() {
            if first + again != self.tags.len() {
                return Err(LedgerError::Order);
            }
            if let Some(file) = &mut self.file {
                file.record(self.tags.len() as u64, new).map_err(LedgerError::Write)?;
            }
            self.tags.extend_from_slice(new);
        }
        Ok(())
    }

    /// How many bytes of the payload may have been sent; the last segment counts as a full one.
    pub(super) const fn recorded_bytes(&self) -> u64 {
        self.tags.len() as u64 * SEGMENT_SIZE as u64
    }

    /// Removes what stands on disk: the upload is over.
    pub(super) fn remove(&mut self) {
        if let Some(file) = self.file.take() {
            file.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(byte: u8) -> Tag {
        Tag::from_bytes([byte; 16])
    }

    #[test]
    fn a_tag_stays_what_it_was() {
        let mut ledger = Ledger::new(None);
        ledger.record(0, &[tag(0), tag(1)]).unwrap();
        ledger.record(1, &[tag(1), tag(2)]).unwrap();
        ledger.record(0, &[tag(0)]).unwrap();
        ledger.record(3, &[tag(3)]).unwrap();
        assert!(matches!(ledger.record(2, &[tag(9)]), Err(LedgerError::Changed)));
        assert!(matches!(ledger.record(1, &[tag(1), tag(2), tag(9), tag(4)]), Err(LedgerError::Changed)));
        assert!(matches!(ledger.record(5, &[tag(5)]), Err(LedgerError::Order)));
        assert_eq!(ledger.recorded_bytes(), 4 * 1_048_576);
    }
}
