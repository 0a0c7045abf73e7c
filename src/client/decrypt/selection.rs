//! Writes chosen entries of an archive to an output, each only if its tar header agrees with the index.
//!
//! The output is a smaller archive, which is unpacked like a complete one; a single file in a stream is the file itself.

use std::ffi::OsString;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use super::output::{Attributes, Sink};
use super::{DecryptError, Decrypted, Output, OutputError, writer};
use crate::client::unpack::{Watch, head_agrees};
use crate::domain::archive::{IndexEntry, InvalidIndex, TAR_END_BYTES};
use crate::domain::crypto::envelope::Metadata;

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
pub(in crate::client) struct Selection(Arc<[IndexEntry]>);

impl Selection {
    /// Creates a selection of entries in the order of the archive.
    pub(in crate::client) fn new(entries: Vec<IndexEntry>) -> Self {
        Self(entries.into())
    }

    /// Returns the ranges of the entries in the content: headers, data and padding to whole blocks, in bytes.
    pub(in crate::client) fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().map(range)
    }

    /// Returns the total size of the files in bytes.
    pub(in crate::client) fn size(&self) -> u64 {
        self.0.iter().map(|entry| entry.size).sum()
    }
}

/// Returns the range of an entry in the content, in bytes.
fn range(entry: &IndexEntry) -> Range<u64> {
    entry.offset..entry.end().expect("a checked entry ends within the archive")
}

/// Writes the entries of a selection, given the content that contains them.
pub(in crate::client) struct SelectionWriter {
    selection: Selection,
    metadata: Metadata,
    sink: Sink,
    /// Whether only the data of the only file is written.
    is_plain: bool,
    /// Index of the current entry, and the offset in the content from which its bytes are missing.
    current: usize,
    position: u64,
    /// Headers of the current entry, until they are complete.
    head: Vec<u8>,
    written: u64,
}

impl SelectionWriter {
    /// Opens `output` for the entries of `selection`. The metadata is that of the archive.
    pub(in crate::client) fn open(
        selection: Selection,
        metadata: Metadata,
        output: Output,
    ) -> Result<Self, DecryptError> {
        let is_single = matches!(&*selection.0, [entry] if entry.is_file());
        let is_plain = is_single && matches!(output, Output::Stream(_));
        let position = selection.0.first().map_or(0, |entry| entry.offset);
        let sink = Sink::open(output)?;
        Ok(Self { selection, metadata, sink, is_plain, current: 0, position, head: Vec::new(), written: 0 })
    }

    /// Writes the chosen entries in `bytes`, which start at `offset` of the content. Calls must be in order.
    pub(in crate::client) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DecryptError> {
        let end = offset + bytes.len() as u64;
        let entries = self.selection.clone();
        while let Some(entry) = entries.0.get(self.current) {
            let entry_end = range(entry).end;
            if self.position < entry.data {
                let head = part(bytes, offset, self.position..entry.data.min(end));
                self.head.extend_from_slice(head);
                self.position += head.len() as u64;
                if self.position < entry.data {
                    return Ok(());
                }
                if !head_agrees(&self.head, entry) {
                    return Err(IndexError::Wrong { path: entry.path.as_str().to_owned() }.into());
                }
                if !self.is_plain {
                    let head = std::mem::take(&mut self.head);
                    self.put(&head)?;
                }
            }
            // The padding to a whole block belongs to the archive only.
            let data_end = if self.is_plain { entry.data + entry.size } else { entry_end };
            self.put(part(bytes, offset, self.position..data_end.min(end)))?;
            self.position = entry_end.min(end.max(self.position));
            if self.position < entry_end {
                return Ok(());
            }
            self.head.clear();
            self.current += 1;
            self.position = entries.0.get(self.current).map_or(self.position, |next| next.offset);
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        let outcome = self.sink.write_all(bytes);
        outcome.map_err(|source| writer::write_error(source, &self.sink))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Completes the output once all entries are written.
    pub(in crate::client) fn finish(mut self, watch: &Watch) -> Result<Decrypted, DecryptError> {
        debug_assert_eq!(self.current, self.selection.0.len(), "entries are missing");
        if !self.is_plain {
            self.put(&[0; TAR_END_BYTES as usize])?;
        }
        let attributes = Attributes {
            modified: self.metadata.modified_ms.and_then(writer::modified),
            mode: self.metadata.permissions().filter(|_| matches!(self.sink, Sink::Directory(..))),
        };
        self.sink.complete(attributes, watch).map_err(|source| writer::write_error(source, &self.sink))?;
        let finished = self.sink.finish(attributes, watch)?;
        Ok(Decrypted {
            metadata: Some(self.metadata),
            path: finished.path,
            unpacked: finished.unpacked,
            size: self.selection.size(),
            warnings: watch.take_warnings(),
        })
    }
}

/// Returns the part of `bytes` in `wanted`, where `bytes` start at `offset`; empty if they do not contain it.
fn part(bytes: &[u8], offset: u64, wanted: Range<u64>) -> &[u8] {
    let index = |at: u64| usize::try_from(at.saturating_sub(offset)).map_or(bytes.len(), |at| at.min(bytes.len()));
    if wanted.is_empty() { &[] } else { &bytes[index(wanted.start)..index(wanted.end)] }
}
