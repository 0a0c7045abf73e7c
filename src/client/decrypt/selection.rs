//! Chosen entries of an archive, by its index.

use std::ffi::OsString;
use std::ops::Range;
use std::sync::Arc;

use crate::domain::archive::{IndexEntry, InvalidIndex};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::sealed::Layout;

/// Reason why the entries of an archive cannot be read by its index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The content is a single file.
    #[error("the content is a single file, not an archive")]
    NotAnArchive,
    /// The archive has no index, or one over 32 MiB.
    #[error("the archive has no index of its entries")]
    Missing,
    /// The index is damaged or unsafe.
    #[error("the archive's index {0}")]
    Invalid(#[from] InvalidIndex),
    /// The tar header of an entry differs from the index.
    #[error("the archive's index is wrong about {path:?}")]
    Wrong {
        /// Path of the entry in the index.
        path: String,
    },
    /// Globs match no entry.
    #[error("nothing in the archive matches {}", shown(.0))]
    NoMatch(Vec<OsString>),
}

fn shown(globs: &[OsString]) -> String {
    globs.iter().map(|glob| glob.to_string_lossy()).collect::<Vec<_>>().join(", ")
}

/// Chosen entries of an archive, in its order.
#[derive(Clone, Debug)]
pub(in crate::client) struct EntrySelection(pub(super) Arc<[IndexEntry]>);

impl EntrySelection {
    /// Creates a selection of entries in the order of the archive.
    pub(in crate::client) fn new(entries: Vec<IndexEntry>) -> Self {
        Self(entries.into())
    }

    /// Returns the ranges of the entries in the content, in bytes.
    ///
    /// Headers, data and padding to whole blocks.
    pub(in crate::client) fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().map(range)
    }

    /// Returns the parts of the entries within `segment` of the content.
    pub(super) fn ranges_within<'a>(&'a self, segment: &'a Range<u64>) -> impl Iterator<Item = Range<u64>> + 'a {
        let first = self.0.partition_point(|entry| range(entry).end <= segment.start);
        let parts = self.0[first..].iter().map(range).take_while(|part| part.start < segment.end);
        parts.map(|part| part.start.max(segment.start)..part.end.min(segment.end))
    }

    /// Returns the runs of segments that contain the entries, in ascending order.
    pub(in crate::client) fn segments(&self, layout: Layout, envelope_length: u64) -> Vec<Range<u32>> {
        let segment_at = |offset: u64| layout.segment_of(offset + envelope_length);
        let mut runs: Vec<Range<u32>> = Vec::new();
        for range in self.ranges() {
            let run = segment_at(range.start)..segment_at(range.end - 1) + 1;
            match runs.last_mut().filter(|last| last.end >= run.start) {
                Some(last) => last.end = last.end.max(run.end),
                None => runs.push(run),
            }
        }
        runs
    }

    /// Returns a digest of the places of the entries.
    pub(super) fn places(&self) -> Sha256 {
        let places: Vec<_> =
            self.0.iter().flat_map(|entry| [entry.offset, entry.data, entry.size]).map(u64::to_be_bytes).collect();
        Sha256::of_parts(places.iter().map(<[u8; 8]>::as_slice))
    }

    /// Returns the total size of the files in bytes.
    pub(in crate::client) fn size(&self) -> u64 {
        self.0.iter().map(|entry| entry.size).sum()
    }
}

/// Returns the range of an entry in the content, in bytes.
pub(super) fn range(entry: &IndexEntry) -> Range<u64> {
    entry.offset..entry.end().expect("a checked entry ends within the archive")
}
