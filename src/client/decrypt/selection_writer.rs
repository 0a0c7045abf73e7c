//! Writes chosen entries of an archive to an output, each only if its tar header agrees with the index.
//!
//! The output is a smaller archive, which is unpacked like a complete one; a single file in a stream is the file itself.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use super::entries_record::{EntriesOrigin, tag_of};
use super::output::{Attributes, FinishedOutput, Sink};
use super::part_file::{PartFile, claim};
use super::part_record::PartRecord;
use super::selection::{EntrySelection, IndexError, range};
use super::{DecryptError, Decrypted, Output, OutputError, writer};
use crate::client::unpack::{Watch, head_agrees};
use crate::domain::crypto::envelope::Metadata;
use crate::domain::crypto::sealed::{OpenError, Tag};

/// End-of-archive marker of a tar: two zero blocks.
const TAR_END: [u8; 1_024] = [0; 1_024];

/// Writes the entries of a selection, given the content that contains them.
pub(in crate::client) struct SelectionWriter {
    selection: EntrySelection,
    metadata: Metadata,
    sink: Option<Sink>,
    form: EntriesForm,
    /// Index of the current entry, and the offset in the content from which its bytes are missing.
    current: usize,
    position: u64,
    /// Headers of the current entry, until they are complete.
    head: Vec<u8>,
    /// Chosen bytes of the current segment.
    part: Vec<u8>,
    written: u64,
    /// Number of segments whose chosen bytes are in the file.
    segments: u64,
    origin: Option<EntriesOrigin>,
    record: Option<PartRecord>,
}

/// Form in which entries are written to the output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EntriesForm {
    /// The data of the only file.
    Plain,
    /// An archive in a stream, which receives headers only once they agree with the index.
    Stream,
    /// An archive in a part file.
    File,
}

impl Drop for SelectionWriter {
    /// Keeps the part file, so that another process can resume after an interruption.
    fn drop(&mut self) {
        match (self.sink.take(), self.record.take()) {
            (Some(sink), Some(record)) if record.has_segments() => sink.keep_for_resume(),
            (_, Some(record)) => record.remove(),
            _ => {}
        }
    }
}

impl SelectionWriter {
    /// Opens `output` for the entries of `selection`. The metadata is that of the archive.
    ///
    /// Records in `origin` what another process can resume. With `resumes`, resumes from an earlier record.
    pub(in crate::client) fn open(
        selection: EntrySelection,
        metadata: Metadata,
        output: Output,
        (origin, resumes): (Option<EntriesOrigin>, bool),
    ) -> Result<Self, DecryptError> {
        let is_single = matches!(&*selection.0, [entry] if entry.is_file());
        let form = match output {
            Output::Stream(_) if is_single => EntriesForm::Plain,
            Output::Stream(_) => EntriesForm::Stream,
            Output::File(_) | Output::Directory(_) => EntriesForm::File,
        };
        let position = selection.0.first().map_or(0, |entry| entry.offset);
        let mut this = Self {
            selection,
            metadata,
            sink: None,
            form,
            current: 0,
            position,
            head: Vec::new(),
            part: Vec::new(),
            written: 0,
            segments: 0,
            origin: origin.filter(|_| form == EntriesForm::File),
            record: None,
        };
        let earlier = this.origin.as_ref().filter(|_| resumes).and_then(|origin| origin.find(this.selection.places()));
        let is_same = |path: &Path, other: &Path| std::path::absolute(path).is_ok_and(|path| path == other);
        let earlier = earlier.filter(|earlier| output.part_path().is_some_and(|path| is_same(&path, &earlier.part)));
        if let Some((earlier, mut file)) = earlier.and_then(|earlier| claim(&earlier.part).map(|file| (earlier, file)))
        {
            this.replay(&mut file, &earlier.tags)?;
            this.sink = Some(Sink::resume(output, file, this.written)?);
            this.record = Some(earlier.resume(this.segments));
        } else {
            this.sink = Some(Sink::open(output)?);
        }
        Ok(this)
    }

    /// Returns the number of segments whose chosen bytes an earlier process has written.
    pub(in crate::client) const fn resumed_segments(&self) -> u64 {
        self.segments
    }

    /// Repeats the earlier writes whose bytes are still in `file`, without writing.
    fn replay(&mut self, file: &mut File, tags: &[Option<Tag>]) -> Result<(), DecryptError> {
        let Some(origin) = self.origin.clone() else { return Ok(()) };
        let segments = self.selection.segments(origin.layout, origin.envelope_length);
        let failed = |source| DecryptError::from(OutputError::Write(source));
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        for (index, tag) in segments.into_iter().flatten().zip(tags) {
            let plaintext = origin.layout.plaintext_range(index);
            let at = |offset: u64| offset.saturating_sub(origin.envelope_length);
            let segment = at(plaintext.start)..at(plaintext.end);
            let pieces: Vec<_> = self.selection.ranges_within(&segment).collect();
            let length = pieces.iter().map(|piece| piece.end - piece.start).sum();
            let mut bytes = Vec::new();
            (&mut *file).take(length).read_to_end(&mut bytes).map_err(failed)?;
            if bytes.len() as u64 != length || *tag != Some(tag_of(&bytes)) {
                break;
            }
            let mut rest = bytes.as_slice();
            for piece in pieces {
                let (bytes, others) = rest.split_at(usize::try_from(piece.end - piece.start).unwrap_or(rest.len()));
                self.take(piece.start, bytes)?;
                rest = others;
            }
            self.written += length;
            self.segments += 1;
            self.part.clear();
        }
        Ok(())
    }

    /// Writes the chosen entries in a segment, whose content `bytes` start at `offset`. Calls must be in order.
    pub(in crate::client) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DecryptError> {
        debug_assert!(offset <= self.position, "content is missing");
        self.take(offset, bytes)?;
        let part = std::mem::take(&mut self.part);
        self.put(&part)?;
        self.record(&part);
        self.part = part;
        self.part.clear();
        Ok(())
    }

    /// Collects the chosen parts of `bytes`, and checks headers.
    fn take(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DecryptError> {
        let end = offset + bytes.len() as u64;
        let entries = self.selection.clone();
        while let Some(entry) = entries.0.get(self.current) {
            let entry_end = range(entry).end;
            if self.position < entry.data {
                let head = part(bytes, offset, self.position..entry.data.min(end));
                self.head.extend_from_slice(head);
                if self.form == EntriesForm::File {
                    self.part.extend_from_slice(head);
                }
                self.position += head.len() as u64;
                if self.position < entry.data {
                    return Ok(());
                }
                if !head_agrees(&self.head, entry) {
                    return Err(IndexError::Wrong { path: entry.path.as_str().to_owned() }.into());
                }
                if self.form == EntriesForm::Stream {
                    self.part.extend_from_slice(&self.head);
                }
            }
            // The padding to a whole block belongs to the archive only.
            let data_end = if self.form == EntriesForm::Plain { entry.data + entry.size } else { entry_end };
            self.part.extend_from_slice(part(bytes, offset, self.position..data_end.min(end)));
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
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let outcome = sink.write_all(bytes);
        outcome.map_err(|source| self.disk_failed(source))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Records the chosen bytes of a segment. A failure only prevents resuming.
    fn record(&mut self, bytes: &[u8]) {
        if let (Some(origin), None) = (&self.origin, &self.record) {
            let path = self.sink.as_ref().and_then(Sink::part).map(PartFile::path);
            self.record = path.and_then(|path| origin.create(path, self.selection.places()));
        }
        if let Some(record) = &mut self.record {
            record.add(tag_of(bytes));
        }
    }

    /// Describes an error of the disk, and truncates the part file to the recorded bytes.
    fn disk_failed(&mut self, source: io::Error) -> OutputError {
        let is_kept = self.record.as_ref().is_some_and(PartRecord::has_segments);
        let written = self.written;
        let directory = self.sink.as_mut().and_then(|sink| {
            sink.shorten(written);
            sink.directory()
        });
        match directory {
            Some(directory) => OutputError::Disk { directory, source, missing: None, is_kept },
            None => OutputError::Write(source),
        }
    }

    /// Ends the output after an error that no other attempt can resume from.
    pub(in crate::client) fn give_up(mut self, error: &DecryptError) {
        if !matches!(error, DecryptError::Output(OutputError::Disk { .. }) | DecryptError::Open(OpenError::Truncated)) {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if let Some(record) = self.record.take() {
            record.remove();
        }
    }

    /// Completes the output once all entries are written.
    pub(in crate::client) fn finish(mut self, watch: &Watch) -> Result<Decrypted, DecryptError> {
        debug_assert_eq!(self.current, self.selection.0.len(), "entries are missing");
        if self.form != EntriesForm::Plain {
            self.put(&TAR_END)?;
        }
        let Some(sink) = &self.sink else { return Err(OpenError::Truncated.into()) };
        let attributes = Attributes {
            modified: self.metadata.modified_ms.and_then(writer::modified),
            mode: self.metadata.permissions().filter(|_| matches!(sink, Sink::Directory(..))),
        };
        if let Err(source) = sink.complete(attributes, watch) {
            return Err(self.disk_failed(source).into());
        }
        let sink = self.sink.take().ok_or(OpenError::Truncated)?;
        let finished = sink.finish(attributes, watch);
        match &finished {
            // The part file is kept already.
            Err(error) if error.is_cancelled() => drop(self.record.take()),
            _ => self.forget(),
        }
        let FinishedOutput { path, unpacked } = finished?;
        Ok(Decrypted {
            metadata: Some(self.metadata.clone()),
            path,
            unpacked,
            size: self.selection.size(),
            warnings: watch.take_warnings(),
            sender: None,
        })
    }
}

/// Returns the part of `bytes` in `wanted`, where `bytes` start at `offset`.
///
/// Empty if they do not contain it.
fn part(bytes: &[u8], offset: u64, wanted: Range<u64>) -> &[u8] {
    let index = |at: u64| usize::try_from(at.saturating_sub(offset)).map_or(bytes.len(), |at| at.min(bytes.len()));
    if wanted.is_empty() { &[] } else { &bytes[index(wanted.start)..index(wanted.end)] }
}
