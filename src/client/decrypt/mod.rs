//! Opening: a sealed payload becomes a file or a stream of authentic plaintext.

mod directory;
mod names;
mod output;
mod part;
mod partial;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use directory::NotUnpacked;
pub use output::{Conflict, Output, OutputError, Target};
pub use partial::PartialPlace;
pub(super) use partial::part_of;

use self::output::{Finished, Sink};
use self::part::claim;
use self::partial::{Earlier, Partial};
use super::unpack::{UnpackedFile, Watch};
use crate::domain::crypto::envelope;
use crate::domain::crypto::envelope::{EnvelopeError, Metadata};
use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::sealed::{Header, Layout, OpenError, OpenStream, Tag, plaintext_size};

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
        let keeping = Keeping::Nothing;
        let writer = Writer { framing, plaintext_bytes, state, metadata: None, written: 0, keeping };
        Self { stream, writer, watch: Watch::default() }
    }

    /// Lets `watch` hear of files that are unpacked, and stop it.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// Begins to open a payload of known layout.
    #[must_use]
    pub fn of_layout(key: PayloadKey, layout: Layout, choose: Choose) -> Self {
        Self::new(OpenStream::with_layout(key, layout), Some(layout.sealed_size()), Framing::Envelope, choose)
    }

    /// Records at `place` what an unfinished file holds, and leaves both where the payload ends early.
    #[must_use]
    pub fn keeping(mut self, layout: Layout, place: PartialPlace) -> Self {
        self.writer.keeping = Keeping::Wanted { place, layout, envelope: Vec::new() };
        self
    }

    /// Goes on where an earlier process has stopped, as it is recorded at `place`, or begins anew. Says from which byte of
    /// the payload on it is to be fed.
    pub fn resume(
        key: PayloadKey,
        layout: Layout,
        choose: Choose,
        place: PartialPlace,
    ) -> Result<(Self, u64), UnsealError> {
        let found = Earlier::find(&place, layout).and_then(|earlier| {
            let mut file = claim(&earlier.part)?;
            let segments = earlier.verified(&mut file, &key, layout).ok().filter(|segments| *segments > 0)?;
            Some((earlier, file, segments))
        });
        let Some((earlier, file, segments)) = found else {
            return Ok((Self::of_layout(key, layout, choose).keeping(layout, place), 0));
        };
        // Its first segment is what was sealed under this key, and so is the envelope in it.
        let output = choose(Some(&earlier.envelope.metadata))?;
        if !output.part_path().is_some_and(|path| is_same(&path, &earlier.part)) {
            let anew = Self::of_layout(key, layout, Box::new(move |_| Ok(output)));
            return Ok((anew.keeping(layout, place), 0));
        }
        let last = u32::try_from(segments - 1).expect("a layout counts its segments in 32 bits");
        let written = layout.plaintext_range(last).end - earlier.envelope.length as u64;
        let metadata = Some(earlier.envelope.metadata.clone());
        let sink = Sink::resume(output, file, written)?;
        let (partial, opener) = earlier.go_on(segments, &key);
        let writer = Writer {
            framing: Framing::Envelope,
            plaintext_bytes: Some(layout.plaintext_size()),
            state: State::Writing(sink),
            metadata,
            written,
            keeping: Keeping::Kept(partial),
        };
        let stream = OpenStream::resume(opener, layout, segments);
        Ok((Self { stream, writer, watch: Watch::default() }, layout.sealed_range(last).end))
    }

    /// Takes the payload's next bytes, and writes what they complete.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), UnsealError> {
        let outcome = self.take(&mut bytes);
        if outcome.is_err() {
            self.writer.forget();
        }
        outcome
    }

    fn take(&mut self, bytes: &mut &[u8]) -> Result<(), UnsealError> {
        while let Some(plaintext) = self.stream.push(bytes)? {
            self.writer.write(plaintext)?;
            if let (Some(header), Some(tag)) = (self.stream.header(), self.stream.tag()) {
                self.writer.record(header, tag);
            }
        }
        Ok(())
    }

    /// Says that the payload has ended. Only now does a file get its name.
    pub fn finish(mut self) -> Result<Unsealed, UnsealError> {
        let rest = match self.stream.finish() {
            Ok(rest) => rest,
            Err(OpenError::Truncated) => {
                self.writer.leave();
                return Err(OpenError::Truncated.into());
            }
            Err(error) => {
                self.writer.forget();
                return Err(error.into());
            }
        };
        if let Err(error) = self.writer.write(rest) {
            self.writer.forget();
            return Err(error);
        }
        self.writer.finish(&self.watch)
    }
}

struct Writer {
    framing: Framing,
    plaintext_bytes: Option<u64>,
    state: State,
    metadata: Option<Metadata>,
    written: u64,
    keeping: Keeping,
}

/// What another process would go on with.
enum Keeping {
    Nothing,
    /// A record, once there is a file.
    Wanted {
        place: PartialPlace,
        layout: Layout,
        envelope: Vec<u8>,
    },
    Kept(Partial),
}

impl Drop for Writer {
    /// Nobody said that the payload has ended, or that it is wrong: what there is may be gone on with.
    fn drop(&mut self) {
        self.leave();
    }
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
                if let Keeping::Wanted { envelope: bytes, .. } = &mut self.keeping {
                    bytes.extend_from_slice(&plaintext[..envelope.length]);
                }
                envelope.length
            }
        };
        self.state = State::Writing(Sink::open(choose(self.metadata.as_ref())?)?);
        Ok(length)
    }

    /// Records that the file holds another segment. Where that fails, nobody can go on with it, and nothing else is lost.
    fn record(&mut self, header: &Header, tag: Tag) {
        let State::Writing(sink) = &self.state else { return };
        let Some(part) = sink.part() else { return };
        if let Keeping::Wanted { place, layout, envelope } = &self.keeping {
            let begun = Partial::begin(place, *layout, part.path(), (header, envelope));
            self.keeping = begun.map_or(Keeping::Nothing, Keeping::Kept);
        }
        if let Keeping::Kept(partial) = &mut self.keeping
            && partial.add(tag).is_err()
        {
            self.forget();
        }
    }

    /// Leaves the unfinished file and its record to another process.
    fn leave(&mut self) {
        if !matches!(&self.keeping, Keeping::Kept(partial) if partial.holds_some()) {
            return self.forget();
        }
        if let State::Writing(sink) = std::mem::replace(&mut self.state, State::Failed) {
            sink.leave();
        }
    }

    /// Removes the record: nobody is to go on with it.
    fn forget(&mut self) {
        if let Keeping::Kept(partial) = std::mem::replace(&mut self.keeping, Keeping::Nothing) {
            partial.remove();
        }
    }

    fn finish(mut self, watch: &Watch) -> Result<Unsealed, UnsealError> {
        let keeping = std::mem::replace(&mut self.keeping, Keeping::Nothing);
        let outcome = self.end(watch);
        match keeping {
            // Who was stopped while an archive was unpacked can go on with the archive.
            Keeping::Kept(_) if matches!(&outcome, Err(UnsealError::Output(error)) if error.is_stop()) => {}
            // Until now it was needed.
            Keeping::Kept(partial) => partial.remove(),
            Keeping::Nothing | Keeping::Wanted { .. } => {}
        }
        outcome
    }

    fn end(&mut self, watch: &Watch) -> Result<Unsealed, UnsealError> {
        let State::Writing(sink) = std::mem::replace(&mut self.state, State::Failed) else {
            return Err(OpenError::Truncated.into());
        };
        if let Some(metadata) = self.metadata.as_ref().filter(|metadata| self.written != metadata.size) {
            return Err(EnvelopeError::Size { actual: self.written, stated: metadata.size }.into());
        }
        let modified = self.metadata.as_ref().and_then(|metadata| modified(metadata.modified_ms?));
        let Finished { path, unpacked } = sink.finish(modified, watch)?;
        Ok(Unsealed { metadata: self.metadata.take(), path, unpacked, size: self.written })
    }
}

fn is_same(path: &Path, other: &Path) -> bool {
    std::path::absolute(path).is_ok_and(|path| path == other)
}

fn modified(millis: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

#[cfg(test)]
mod tests;
