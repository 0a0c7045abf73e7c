//! Opening: a sealed payload becomes a file or a stream of authentic plaintext.

mod directory;
mod names;
mod output;
mod part;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use directory::NotUnpacked;
pub use output::{Conflict, Output, OutputError, Target};

use self::output::{Finished, Sink};
use super::unpack::{UnpackedFile, Watch};
use crate::domain::envelope::{self, EnvelopeError, Metadata};
use crate::domain::sealed::{Layout, OpenError, OpenStream, plaintext_size};

/// Opens one payload, whose bytes are [fed](Unsealing::feed) in as they arrive. Blocks on its output.
pub struct Unsealing {
    stream: OpenStream,
    writer: Writer,
    watch: Watch,
}

/// Chooses where the content goes, once its envelope is authentic.
pub type Choose = Box<dyn FnOnce(Option<&Metadata>) -> Result<Output, OutputError> + Send>;

/// What an envelope takes part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The plaintext begins with an envelope, as every client of ours writes it.
    Envelope,
    /// The whole plaintext is the content.
    Raw,
}

/// A payload that was opened to its end.
#[derive(Clone, Debug)]
pub struct Unsealed {
    /// What the sender says of the content; none of a [`Framing::Raw`] payload.
    pub metadata: Option<Metadata>,
    /// Where the content is; none where it went into a stream.
    pub path: Option<PathBuf>,
    /// The files that were unpacked into the directory `path`; none where the content is as it was sent.
    pub unpacked: Option<Vec<UnpackedFile>>,
    /// Bytes of content.
    pub size: u64,
}

/// A payload that could not be opened to its end.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// The payload is not authentic.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The plaintext is authentic, and not what a sender writes.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The plaintext cannot be put where it should go.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Unsealing {
    /// Begins to open what `stream` gives; `sealed_bytes` is the payload's size where it is known.
    #[must_use]
    pub fn new(stream: OpenStream, sealed_bytes: Option<u64>, framing: Framing, choose: Choose) -> Self {
        let plaintext_bytes = sealed_bytes.and_then(plaintext_size);
        let state = State::Waiting(choose);
        let writer = Writer { framing, plaintext_bytes, state, metadata: None, written: 0 };
        Self { stream, writer, watch: Watch::default() }
    }

    /// Lets `watch` hear of files that are unpacked, and stop it.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// Begins to open a payload of known layout.
    #[must_use]
    pub fn of_layout(key: crate::domain::key::PayloadKey, layout: Layout, choose: Choose) -> Self {
        Self::new(OpenStream::with_layout(key, layout), Some(layout.sealed_size()), Framing::Envelope, choose)
    }

    /// Takes the payload's next bytes, and writes what they complete.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), UnsealError> {
        while let Some(plaintext) = self.stream.push(&mut bytes)? {
            self.writer.write(plaintext)?;
        }
        Ok(())
    }

    /// Says that the payload has ended. Only now does a file get its name.
    pub fn finish(mut self) -> Result<Unsealed, UnsealError> {
        let rest = self.stream.finish()?;
        self.writer.write(rest)?;
        self.writer.finish(&self.watch)
    }
}

struct Writer {
    framing: Framing,
    plaintext_bytes: Option<u64>,
    state: State,
    metadata: Option<Metadata>,
    written: u64,
}

enum State {
    Waiting(Choose),
    Writing(Sink),
    Failed,
}

impl Writer {
    /// Writes the plaintext of one segment, or none.
    fn write(&mut self, plaintext: &[u8]) -> Result<(), UnsealError> {
        let content = match self.state {
            State::Waiting(_) => &plaintext[self.begin(plaintext)?..],
            _ => plaintext,
        };
        let State::Writing(sink) = &mut self.state else { return Ok(()) };
        if content.is_empty() {
            return Ok(());
        }
        self.written += content.len() as u64;
        if let Some(metadata) = self.metadata.as_ref().filter(|metadata| self.written > metadata.size) {
            return Err(EnvelopeError::Size { actual: self.written, stated: metadata.size }.into());
        }
        Ok(sink.write_all(content).map_err(OutputError::Write)?)
    }

    /// Reads the envelope, opens the output, and says where in `plaintext` the content begins.
    fn begin(&mut self, plaintext: &[u8]) -> Result<usize, UnsealError> {
        let State::Waiting(choose) = std::mem::replace(&mut self.state, State::Failed) else {
            return Ok(0);
        };
        let length = match self.framing {
            Framing::Raw => 0,
            Framing::Envelope => {
                // The first segment holds all of it.
                let envelope = envelope::decode(plaintext)?.ok_or(EnvelopeError::CutShort)?;
                if let Some(bytes) = self.plaintext_bytes {
                    envelope.check_plaintext_size(bytes)?;
                }
                self.metadata = Some(envelope.metadata);
                envelope.length
            }
        };
        self.state = State::Writing(Sink::open(choose(self.metadata.as_ref())?)?);
        Ok(length)
    }

    fn finish(self, watch: &Watch) -> Result<Unsealed, UnsealError> {
        let State::Writing(sink) = self.state else {
            return Err(OpenError::Truncated.into());
        };
        if let Some(metadata) = self.metadata.as_ref().filter(|metadata| self.written != metadata.size) {
            return Err(EnvelopeError::Size { actual: self.written, stated: metadata.size }.into());
        }
        let modified = self.metadata.as_ref().and_then(|metadata| modified(metadata.modified_ms?));
        let Finished { path, unpacked } = sink.finish(modified, watch)?;
        Ok(Unsealed { metadata: self.metadata, path, unpacked, size: self.written })
    }
}

fn modified(millis: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

#[cfg(test)]
mod tests;
