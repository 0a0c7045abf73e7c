//! Writes decrypted content to its output.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::output::{Attributes, FinishedOutput, OutputError, Sink};
use super::part_record::{PartRecord, PartRecordLocation};
use super::{ChooseOutput, DecryptError, Decrypted, Framing};
use crate::client::free_space::{available, is_full};
use crate::client::unpack::Watch;
use crate::domain::crypto::envelope;
use crate::domain::crypto::envelope::{EnvelopeError, Metadata};
use crate::domain::crypto::sealed::{Header, Layout, OpenError, Tag};
use crate::domain::people::sender_signature::RejectedSignature;

/// Writes the content of one payload to its output, and records what another process can resume.
pub(super) struct PlaintextWriter {
    pub(super) framing: Framing,
    pub(super) plaintext_bytes: Option<u64>,
    pub(super) state: WriterState,
    pub(super) metadata: Option<Metadata>,
    pub(super) written: u64,
    pub(super) resume_record: ResumeRecord,
    /// Whether there is a signature, as the envelope must say; `None` if that is not checked.
    pub(super) is_signed: Option<bool>,
}

/// Record that lets another process resume.
pub(super) enum ResumeRecord {
    Nothing,
    /// Will be created with the first segment in the file.
    Wanted {
        location: PartRecordLocation,
        layout: Layout,
        envelope: Vec<u8>,
    },
    Kept(PartRecord),
}

impl Drop for PlaintextWriter {
    /// Keeps the part file for resuming, since the payload has neither ended nor failed authentication.
    fn drop(&mut self) {
        self.keep_for_resume();
    }
}

pub(super) enum WriterState {
    Waiting(ChooseOutput),
    Writing(Sink),
    Failed,
}

impl PlaintextWriter {
    /// Writes the content in the plaintext of one segment, which may be empty; padding must be zero.
    pub(super) fn write(&mut self, plaintext: &[u8]) -> Result<(), DecryptError> {
        let content = match self.state {
            WriterState::Waiting(_) => &plaintext[self.begin(plaintext)?..],
            _ => plaintext,
        };
        let WriterState::Writing(sink) = &mut self.state else { return Ok(()) };
        let missing = self.metadata.as_ref().map(|metadata| metadata.size - self.written);
        let missing = missing.and_then(|missing| usize::try_from(missing).ok()).unwrap_or(usize::MAX);
        let (content, padding) = content.split_at(content.len().min(missing));
        if padding.iter().any(|byte| *byte != 0) {
            return Err(EnvelopeError::Padding.into());
        }
        if content.is_empty() {
            return Ok(());
        }
        let before = self.written;
        self.written += content.len() as u64;
        match sink.write_all(content) {
            Err(error) if sink.part().is_some() => Err(self.disk_failed(error, before).into()),
            outcome => Ok(outcome.map_err(OutputError::Write)?),
        }
    }

    /// Describes an error of the disk, and truncates the part file to `written` bytes.
    ///
    /// This removes an incomplete segment.
    fn disk_failed(&mut self, source: io::Error, written: u64) -> OutputError {
        let is_kept = self.can_resume();
        let WriterState::Writing(sink) = &mut self.state else { unreachable!("the output was written") };
        sink.shorten(written);
        let directory = sink.directory().unwrap_or_default();
        let size = self.metadata.as_ref().map(|metadata| metadata.size).or(self.plaintext_bytes);
        let missing = size
            .zip(available(&directory))
            .filter(|_| is_full(&source))
            .map(|(size, free)| size.saturating_sub(written).saturating_sub(free).max(1));
        OutputError::Disk { directory, source, missing, is_kept }
    }

    /// Returns whether another process can resume from the part file.
    fn can_resume(&self) -> bool {
        matches!(&self.resume_record, ResumeRecord::Kept(record) if record.has_segments())
    }

    /// Parses the envelope, opens the output, and returns the offset of the content in `plaintext`.
    fn begin(&mut self, plaintext: &[u8]) -> Result<usize, DecryptError> {
        let WriterState::Waiting(choose) = std::mem::replace(&mut self.state, WriterState::Failed) else {
            return Ok(0);
        };
        let length = match self.framing {
            Framing::Raw => 0,
            Framing::Envelope => {
                // The first segment always contains the complete envelope.
                let envelope = envelope::decode(plaintext)?.ok_or(EnvelopeError::Truncated)?;
                if let Some(bytes) = self.plaintext_bytes {
                    envelope.check_plaintext_size(bytes)?;
                }
                match (self.is_signed, envelope.metadata.signed) {
                    (Some(false), true) => return Err(RejectedSignature::Missing.into()),
                    (Some(true), false) => return Err(RejectedSignature::Unexpected.into()),
                    _ => {}
                }
                self.metadata = Some(envelope.metadata);
                if let ResumeRecord::Wanted { envelope: bytes, .. } = &mut self.resume_record {
                    bytes.extend_from_slice(&plaintext[..envelope.length]);
                }
                envelope.length
            }
        };
        self.state = WriterState::Writing(Sink::open(choose(self.metadata.as_ref())?)?);
        Ok(length)
    }

    /// Returns whether the content goes to a stream.
    pub(super) fn is_stream(&self) -> bool {
        matches!(&self.state, WriterState::Writing(sink) if sink.part().is_none())
    }

    /// Records that the file contains another segment. A failure only prevents resuming.
    pub(super) fn record(&mut self, header: &Header, tag: Tag) {
        let WriterState::Writing(sink) = &self.state else { return };
        let Some(part) = sink.part() else { return };
        if let ResumeRecord::Wanted { location, layout, envelope } = &self.resume_record {
            let created = PartRecord::create(location, *layout, part.path(), (header, envelope));
            self.resume_record = created.map_or(ResumeRecord::Nothing, ResumeRecord::Kept);
        }
        if let ResumeRecord::Kept(record) = &mut self.resume_record {
            record.add(tag);
        }
    }

    /// Keeps the part file and its record, so that another process can resume.
    pub(super) fn keep_for_resume(&mut self) {
        if !self.can_resume() {
            return self.forget();
        }
        if let WriterState::Writing(sink) = std::mem::replace(&mut self.state, WriterState::Failed) {
            sink.keep_for_resume();
        }
    }

    /// Ends the output after an error; after one of the disk or the connection, another process can resume.
    pub(super) fn give_up(&mut self, error: &DecryptError) {
        match error {
            DecryptError::Output(OutputError::Disk { .. }) | DecryptError::Open(OpenError::Truncated) => {
                self.keep_for_resume();
            }
            _ => self.forget(),
        }
    }

    /// Removes the record, so that no process resumes.
    pub(super) fn forget(&mut self) {
        if let ResumeRecord::Kept(record) = std::mem::replace(&mut self.resume_record, ResumeRecord::Nothing) {
            record.remove();
        }
    }

    /// Completes the output.
    ///
    /// If the disk does not take the content, or unpacking was cancelled, another process can resume.
    pub(super) fn finish(mut self, watch: &Watch) -> Result<Decrypted, DecryptError> {
        let outcome = self.end(watch);
        match &outcome {
            Err(DecryptError::Output(OutputError::Disk { .. })) => self.keep_for_resume(),
            // The part file is kept already.
            Err(DecryptError::Output(error)) if error.is_cancelled() => self.resume_record = ResumeRecord::Nothing,
            // The output is complete or has failed permanently.
            _ => self.forget(),
        }
        outcome
    }

    fn end(&mut self, watch: &Watch) -> Result<Decrypted, DecryptError> {
        let WriterState::Writing(sink) = std::mem::replace(&mut self.state, WriterState::Failed) else {
            return Err(OpenError::Truncated.into());
        };
        if let Some(metadata) = self.metadata.as_ref().filter(|metadata| self.written != metadata.size) {
            return Err(EnvelopeError::Size { actual: self.written, stated: metadata.size }.into());
        }
        // The mode of an archive is that of its directory, not of the file NAME.tar.
        let has_mode = |metadata: &Metadata| metadata.archive.is_some() == matches!(sink, Sink::Directory(..));
        let attributes = self.metadata.as_ref().map(|metadata| Attributes {
            modified: metadata.modified_ms.and_then(modified),
            mode: metadata.permissions().filter(|_| has_mode(metadata)),
        });
        let attributes = attributes.unwrap_or_default();
        if let Err(error) = sink.complete(attributes, watch) {
            self.state = WriterState::Writing(sink);
            // Segments that the disk has lost are recognised by their tags.
            return Err(self.disk_failed(error, self.written).into());
        }
        let FinishedOutput { path, unpacked } = sink.finish(attributes, watch)?;
        let warnings = watch.take_warnings();
        Ok(Decrypted { metadata: self.metadata.take(), path, unpacked, size: self.written, warnings, sender: None })
    }
}

/// Returns the time in `millis` since 1970 (UTC), if this system has such times.
pub(super) fn modified(millis: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}
