//! Decrypts a payload into a file, a directory or a stream; writes only authenticated plaintext.

mod directory;
mod entries_record;
mod names;
mod output;
mod part_file;
mod part_record;
mod selection;
mod selection_writer;
mod signature_check;
mod writer;

use std::path::{Path, PathBuf};

pub use directory::UnpackFailure;
pub(super) use entries_record::EntriesOrigin;
pub use output::{Conflict, Output, OutputError, Target};
pub use part_file::existing_part;
pub use part_record::PartRecordLocation;
pub(super) use part_record::part_of;
pub(super) use selection::EntrySelection;
pub use selection::IndexError;
pub(super) use selection_writer::SelectionWriter;
pub use signature_check::SignatureCheck;

use self::output::Sink;
use self::part_file::claim;
use self::part_record::EarlierPart;
use self::writer::{PlaintextWriter, ResumeRecord, WriterState};
use super::save_warning::SaveWarning;
use super::unpack::{UnpackedFile, Watch};
use crate::domain::crypto::envelope::{EnvelopeError, Metadata};
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::sealed::{Layout, OpenError, OpenStream, plaintext_size};
use crate::domain::people::sender_signature::{RejectedSignature, VerifiedSender};

/// Decrypts one payload from the bytes given to [`feed`](Decryption::feed). Blocks while writing the output.
pub struct Decryption {
    stream: OpenStream,
    writer: PlaintextWriter,
    watch: Watch,
    check: Option<SignatureCheck>,
}

/// Callback that chooses the output, given the authenticated metadata. `None` for a [`Framing::Raw`] payload.
pub type ChooseOutput = Box<dyn FnOnce(Option<&Metadata>) -> Result<Output, OutputError> + Send>;

/// Whether the plaintext starts with an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// An envelope with metadata precedes the content, and padding may follow it. All clients of this project write an envelope.
    Envelope,
    /// The whole plaintext is the content.
    Raw,
}

/// Result of a complete decryption.
#[derive(Clone, Debug)]
pub struct Decrypted {
    /// The sender's metadata; `None` for a [`Framing::Raw`] payload.
    pub metadata: Option<Metadata>,
    /// Path of the file or directory; `None` for a stream.
    pub path: Option<PathBuf>,
    /// Files that were unpacked into the directory `path`; `None` if the content was not unpacked.
    pub unpacked: Option<Vec<UnpackedFile>>,
    /// Content size in bytes.
    pub size: u64,
    /// Properties of the content that the file system did not accept.
    pub warnings: Vec<SaveWarning>,
    /// Sender whose signature was verified; `None` if there is none, or if the content went to a stream.
    pub sender: Option<VerifiedSender>,
}

/// Reason why a payload was not decrypted completely.
#[derive(Debug, thiserror::Error)]
pub enum DecryptError {
    /// The payload is not authentic.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The plaintext is authentic, but has no valid envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The signature of the sender is missing or not valid.
    #[error(transparent)]
    Signature(#[from] RejectedSignature),
    /// The entries of the archive cannot be read by its index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Decryption {
    /// Creates a decryption with `stream`; `sealed_bytes` is the encrypted size in bytes, if it is known.
    #[must_use]
    pub fn new(stream: OpenStream, sealed_bytes: Option<u64>, framing: Framing, choose: ChooseOutput) -> Self {
        let plaintext_bytes = sealed_bytes.and_then(plaintext_size);
        let state = WriterState::Waiting(choose);
        let resume_record = ResumeRecord::Nothing;
        let writer = PlaintextWriter {
            framing,
            plaintext_bytes,
            state,
            metadata: None,
            written: 0,
            resume_record,
            is_signed: None,
        };
        Self { stream, writer, watch: Watch::default(), check: None }
    }

    /// Checks the sender's signature before the output gets its name.
    ///
    /// # Errors
    /// [`DecryptError::Signature`] if a resumed payload has no signature, and its envelope says otherwise.
    pub fn checked(mut self, check: SignatureCheck) -> Result<Self, DecryptError> {
        if check.signature.is_some() && !self.stream.hashes() {
            self.stream = self.stream.hashing(Vec::new());
        }
        if let Some(metadata) = &self.writer.metadata {
            let checked = check.check_envelope(metadata);
            checked.inspect_err(|error| self.writer.give_up(error))?;
        }
        self.writer.is_signed = Some(check.signature.is_some());
        self.check = Some(check);
        Ok(self)
    }

    /// Reports unpacked files to `watch`, which can also cancel unpacking.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// Creates a decryption of a payload with a known layout and an envelope.
    #[must_use]
    pub fn of_layout(key: PayloadKey, layout: Layout, choose: ChooseOutput) -> Self {
        Self::new(OpenStream::with_layout(key, layout), Some(layout.sealed_size()), Framing::Envelope, choose)
    }

    /// Keeps a part file and its record at `location` if the payload ends early, to resume later.
    #[must_use]
    pub fn with_record_at(mut self, layout: Layout, location: PartRecordLocation) -> Self {
        self.writer.resume_record = ResumeRecord::Wanted { location, layout, envelope: Vec::new() };
        self
    }

    /// Resumes a part file recorded at `location` by an earlier process, or starts from the beginning.
    ///
    /// Also returns the payload offset in bytes from which [`Self::feed`] expects data.
    pub fn resume(
        key: PayloadKey,
        layout: Layout,
        choose: ChooseOutput,
        location: PartRecordLocation,
        hashes: bool,
    ) -> Result<(Self, u64), DecryptError> {
        let mut leaves = hashes.then(Vec::new);
        let earlier = EarlierPart::find(&location, layout).and_then(|earlier| {
            let mut file = claim(&earlier.part)?;
            let segments =
                earlier.verified(&mut file, &key, layout, leaves.as_mut()).ok().filter(|segments| *segments > 0)?;
            Some((earlier, file, segments))
        });
        let Some((earlier, file, segments)) = earlier else {
            return Ok((Self::of_layout(key, layout, choose).with_record_at(layout, location), 0));
        };
        // The envelope is authentic: the first segment was verified with this key.
        let output = choose(Some(&earlier.envelope.metadata))?;
        if !output.part_path().is_some_and(|path| is_same(&path, &earlier.part)) {
            let restarted = Self::of_layout(key, layout, Box::new(move |_| Ok(output)));
            return Ok((restarted.with_record_at(layout, location), 0));
        }
        let last = u32::try_from(segments - 1).expect("a layout has fewer than 2^32 segments");
        let written = layout.plaintext_range(last).end - earlier.envelope.length as u64;
        let written = written.min(earlier.envelope.metadata.size);
        let metadata = Some(earlier.envelope.metadata.clone());
        let sink = Sink::resume(output, file, written)?;
        let (record, opener) = earlier.resume(segments, &key);
        let writer = PlaintextWriter {
            framing: Framing::Envelope,
            plaintext_bytes: Some(layout.plaintext_size()),
            state: WriterState::Writing(sink),
            metadata,
            written,
            resume_record: ResumeRecord::Kept(record),
            is_signed: None,
        };
        let stream = OpenStream::resume(opener, layout, segments);
        let stream = match leaves {
            Some(leaves) => stream.hashing(leaves),
            None => stream,
        };
        Ok((Self { stream, writer, watch: Watch::default(), check: None }, layout.sealed_range(last).end))
    }

    /// Decrypts the payload's next bytes, and writes each completed segment.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), DecryptError> {
        let outcome = self.take(&mut bytes);
        outcome.inspect_err(|error| self.writer.give_up(error))
    }

    fn take(&mut self, bytes: &mut &[u8]) -> Result<(), DecryptError> {
        while let Some(plaintext) = self.stream.push(bytes)? {
            self.writer.write(plaintext)?;
            if let (Some(header), Some(tag)) = (self.stream.header(), self.stream.tag()) {
                self.writer.record(header, tag);
            }
        }
        Ok(())
    }

    /// Completes the output at the end of the payload. A file gets its final name here.
    pub fn finish(mut self) -> Result<Decrypted, DecryptError> {
        let rest = self.stream.finish().map_err(DecryptError::from);
        let written = rest.and_then(|rest| self.writer.write(rest));
        let verified = written.and_then(|()| self.verify());
        let sender = verified.inspect_err(|error| self.writer.give_up(error))?;
        Ok(Decrypted { sender, ..self.writer.finish(&self.watch)? })
    }

    /// Verifies the signature, unless the content went to a stream, from which it cannot be taken back.
    fn verify(&self) -> Result<Option<VerifiedSender>, DecryptError> {
        match (&self.check, self.stream.header()) {
            (Some(check), Some(header)) if !self.writer.is_stream() => {
                Ok(check.verify(header, self.stream.leaf_hashes())?)
            }
            _ => Ok(None),
        }
    }
}

fn is_same(path: &Path, other: &Path) -> bool {
    std::path::absolute(path).is_ok_and(|path| path == other)
}

#[cfg(test)]
mod tests;
