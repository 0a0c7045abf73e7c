//! Compares the content with the segments that were sent, if a file may have changed.

use std::ops::Range;

use super::journal::Journal;
use super::segments::Segments;
use super::source::SourceChange;
use super::{JournalError, UploadError};
use crate::domain::crypto::sealed::Tag;

/// Checks that the recorded segments have the content that their files have now. Blocks.
///
/// Reads a file again only if its metadata has changed, since `chmod`, `mv`, `ln`, `touch` or a backup program change
/// no content.
pub(super) fn check_unchanged(segments: &Segments, journal: &Journal) -> Result<(), UploadError> {
    let ranges = segments.source().doubtful_ranges()?;
    if ranges.is_empty() {
        return Ok(());
    }
    let doubtful = |index: u32| overlapping(&ranges, &segments.content_range(index));
    let recorded: Vec<_> = journal.recorded().into_iter().filter(|(index, _)| doubtful(*index).is_some()).collect();
    compare(segments, &recorded).map_err(|error| match error {
        Mismatch::At(index) => {
            let name = doubtful(index).and_then(|range| segments.source().name_at(range.start));
            SourceChange::Content.in_file(name).into()
        }
        Mismatch::Other(error) => *error,
    })
}

/// Result of comparing a segment with its recorded tag.
pub(super) enum Mismatch {
    /// The segment with this number has other content.
    At(u32),
    /// The segment cannot be read.
    Other(Box<UploadError>),
}

impl From<Mismatch> for UploadError {
    fn from(mismatch: Mismatch) -> Self {
        match mismatch {
            Mismatch::At(_) => JournalError::Changed.into(),
            Mismatch::Other(error) => *error,
        }
    }
}

/// Seals the recorded segments again, on two threads, and compares their tags.
pub(super) fn compare(segments: &Segments, recorded: &[(u32, Tag)]) -> Result<(), Mismatch> {
    let check = |half: &[(u32, Tag)]| {
        half.iter().try_for_each(|(index, tag)| {
            let sealed = segments.seal(*index).map_err(|error| Mismatch::Other(Box::new(error.into())))?;
            if sealed.tag == *tag { Ok(()) } else { Err(Mismatch::At(*index)) }
        })
    };
    let (first, second) = recorded.split_at(recorded.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| check(second));
        check(first).and(other.join().expect("sealing does not panic"))
    })
}

/// Returns the first of the ascending `ranges` that shares a byte with `range`.
fn overlapping<'a>(ranges: &'a [Range<u64>], range: &Range<u64>) -> Option<&'a Range<u64>> {
    let at = ranges.partition_point(|one| one.end <= range.start);
    ranges.get(at).filter(|one| one.start < range.end)
}
