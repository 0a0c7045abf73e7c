//! Streaming decryption: payload chunks in, authenticated plaintext out.

use std::ops::Range;

use super::{HEADER_SIZE, Header, Layout, OpenError, Opener, SEGMENT_SIZE, TAG_SIZE, Tag, header_bytes};
use crate::domain::crypto::key::PayloadKey;
use crate::domain::people::sender_signature::LeafHash;

/// Opens a payload from chunks of any size. Buffers at most one segment (1 MiB).
///
/// Each call of [`push`](Self::push) returns the authenticated plaintext of at most one segment. Plaintext returned
/// before an error remains authentic, but only the success of [`finish`](Self::finish) means that the payload is
/// complete. After an error, every call returns the same error.
///
/// ```
/// # use sgsend::domain::crypto::{key::PayloadKey, sealed::{OpenError, OpenStream}};
/// fn open(key: PayloadKey, chunks: &[&[u8]], mut write: impl FnMut(&[u8])) -> Result<(), OpenError> {
///     let mut stream = OpenStream::new(key);
///     for mut chunk in chunks.iter().copied() {
///         while let Some(plaintext) = stream.push(&mut chunk)? {
///             write(plaintext);
///         }
///     }
///     write(stream.finish()?);
///     Ok(())
/// }
/// ```
pub struct OpenStream {
    opening: Opening,
    /// `None` if the payload's size is unknown.
    layout: Option<Layout>,
    /// Number of opened segments, which is the index of the next segment.
    opened: u64,
    /// Bytes of the current segment.
    collected: Vec<u8>,
    /// Tag of the most recently opened segment.
    tag: Option<Tag>,
    /// Hashes of the opened segments, if they are wanted.
    leaves: Option<Vec<LeafHash>>,
    state: StreamState,
}

enum Opening {
    /// The header has not arrived yet.
    Waiting(PayloadKey),
    Ready(Box<Opener>),
}

#[derive(Clone, Copy)]
enum StreamState {
    /// `collected` contains the start of a segment.
    Collecting,
    /// `collected` contains a segment whose plaintext was returned by the last call.
    Released,
    /// The last segment was opened.
    Complete,
    /// Opening failed; no more plaintext is released.
    Failed(OpenError),
}

impl OpenStream {
    /// Opens a payload of unknown size; [`finish`](Self::finish) marks its end.
    #[must_use]
    pub fn new(key: PayloadKey) -> Self {
        Self::build(Opening::Waiting(key), None)
    }

    /// Opens a payload of known size.
    #[must_use]
    pub fn with_layout(key: PayloadKey, layout: Layout) -> Self {
        Self::build(Opening::Waiting(key), Some(layout))
    }

    /// Resumes a payload of known size after its first `segments_opened` segments.
    ///
    /// The first pushed byte must be the first byte of the next segment. If all segments were already opened, no bytes
    /// may be pushed, and [`finish`](Self::finish) succeeds.
    #[must_use]
    pub fn resume(opener: Opener, layout: Layout, segments_opened: u64) -> Self {
        let mut stream = Self::build(Opening::Ready(Box::new(opener)), Some(layout));
        stream.opened = segments_opened;
        if segments_opened >= layout.segments() {
            stream.state = StreamState::Complete;
        }
        stream
    }

    fn build(opening: Opening, layout: Option<Layout>) -> Self {
        Self {
            opening,
            layout,
            opened: 0,
            collected: Vec::new(),
            tag: None,
            leaves: None,
            state: StreamState::Collecting,
        }
    }

    /// Hashes each segment that is opened, after those opened before resuming, whose hashes are `earlier`.
    #[must_use]
    pub fn hashing(self, earlier: Vec<LeafHash>) -> Self {
        Self { leaves: Some(earlier), ..self }
    }

    /// Returns whether opened segments are hashed.
    #[must_use]
    pub const fn hashes(&self) -> bool {
        self.leaves.is_some()
    }

    /// Returns the hashes of the opened segments; empty unless they are wanted.
    #[must_use]
    pub fn leaf_hashes(&self) -> &[LeafHash] {
        self.leaves.as_deref().unwrap_or_default()
    }

    /// Returns the payload's header, or `None` before the first segment was opened.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        match &self.opening {
            Opening::Waiting(_) => None,
            Opening::Ready(opener) => Some(opener.header()),
        }
    }

    /// Returns the tag of the segment opened last; `None` before the first segment, also after resuming.
    #[must_use]
    pub fn tag(&self) -> Option<Tag> {
        self.tag
    }

    /// Returns the number of opened segments, including those opened before resuming.
    #[must_use]
    pub fn opened_segments(&self) -> u64 {
        self.opened
    }

    /// Consumes bytes from the front of `input`, and returns the plaintext of the next complete segment.
    ///
    /// Call `push` again until it returns `None`, which means that all of `input` was consumed.
    pub fn push(&mut self, input: &mut &[u8]) -> Result<Option<&[u8]>, OpenError> {
        match self.state {
            StreamState::Failed(error) => return Err(error),
            StreamState::Complete if input.is_empty() => return Ok(None),
            StreamState::Complete => return Err(self.fail(OpenError::Extended)),
            StreamState::Released => {
                self.collected.clear();
                self.state = StreamState::Collecting;
            }
            StreamState::Collecting => {}
        }
        let (segment_size, known_last) = match (self.layout, u32::try_from(self.opened)) {
            (_, Err(_)) => return Err(self.fail(OpenError::Extended)),
            (None, Ok(_)) => (SEGMENT_SIZE, None),
            (Some(layout), Ok(index)) => {
                let range = layout.sealed_range(index);
                let length = usize::try_from(range.end - range.start).expect("a segment is at most 1 MiB");
                (length, Some(layout.is_last(index)))
            }
        };
        let (consumed, rest) = input.split_at(input.len().min(segment_size - self.collected.len()));
        self.collected.extend_from_slice(consumed);
        *input = rest;
        // Without a layout, only a byte after a full segment proves that the segment is not the last.
        let complete = self.collected.len() == segment_size && (known_last.is_some() || !input.is_empty());
        if complete { self.release(known_last.unwrap_or(false)).map(Some) } else { Ok(None) }
    }

    /// Marks the end of the payload, and returns the remaining plaintext.
    ///
    /// The remaining plaintext is the last segment's if the payload's size is unknown, otherwise empty. Success means
    /// that the payload is complete and authentic.
    pub fn finish(&mut self) -> Result<&[u8], OpenError> {
        match self.state {
            StreamState::Failed(error) => Err(error),
            StreamState::Complete => Ok(&[]),
            StreamState::Collecting if self.layout.is_none() => self.release(true),
            StreamState::Collecting | StreamState::Released => Err(self.fail(OpenError::Truncated)),
        }
    }

    fn release(&mut self, last: bool) -> Result<&[u8], OpenError> {
        match self.open_collected(last) {
            Ok(plaintext) => {
                self.opened += 1;
                self.state = if last { StreamState::Complete } else { StreamState::Released };
                Ok(&self.collected[plaintext])
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Decrypts the collected segment in place, and returns the range of its plaintext in `collected`.
    fn open_collected(&mut self, last: bool) -> Result<Range<usize>, OpenError> {
        let index = u32::try_from(self.opened).map_err(|_| OpenError::Extended)?;
        // Copied before decryption, which may overwrite the tag's bytes.
        let tag = self.collected.last_chunk::<TAG_SIZE>().copied().map(Tag::from_bytes).ok_or(OpenError::Truncated)?;
        let leaf = self.leaves.is_some().then(|| LeafHash::of(&self.collected));
        let length = match &self.opening {
            Opening::Ready(opener) => opener.open(index, last, &mut self.collected)?.len(),
            Opening::Waiting(key) => {
                let header = self.collected.get(..HEADER_SIZE).ok_or(OpenError::Truncated)?;
                let opener = Opener::new(key, Header::parse(header)?);
                let length = opener.open(index, last, &mut self.collected)?.len();
                self.opening = Opening::Ready(Box::new(opener));
                length
            }
        };
        let start = header_bytes(index);
        self.tag = Some(tag);
        if let Some((leaves, leaf)) = self.leaves.as_mut().zip(leaf) {
            leaves.push(leaf);
        }
        Ok(start..start + length)
    }

    fn fail(&mut self, error: OpenError) -> OpenError {
        self.collected = Vec::new();
        self.state = StreamState::Failed(error);
        error
    }
}
