//! A payload that arrives in pieces: bytes in, authenticated plaintext out.

use std::ops::Range;

use super::{HEADER_SIZE, Header, Layout, OpenError, Opener, SEGMENT_SIZE, TAG_SIZE, Tag, header_room};
use crate::domain::key::PayloadKey;

/// Opens a payload segment by segment, however its bytes are cut into pieces. Holds one segment at most.
///
/// Each call of [`push`](Self::push) gives the plaintext of at most one segment, authenticated; what it gave before it
/// failed stays authentic, but only [`finish`](Self::finish) says that nothing is missing. After an error every call
/// gives the same error again.
///
/// ```
/// # use sgsend::domain::{key::PayloadKey, sealed::{OpenError, OpenStream}};
/// fn open(key: PayloadKey, pieces: &[&[u8]], mut write: impl FnMut(&[u8])) -> Result<(), OpenError> {
///     let mut stream = OpenStream::new(key);
///     for mut piece in pieces.iter().copied() {
///         while let Some(plaintext) = stream.push(&mut piece)? {
///             write(plaintext);
///         }
///     }
///     write(stream.finish()?);
///     Ok(())
/// }
/// ```
pub struct OpenStream {
    opening: Opening,
    /// Known where the payload's size is.
    layout: Option<Layout>,
    /// How many segments are open, which is the number of the one that is collected next.
    opened: u64,
    collected: Vec<u8>,
    /// Of the segment that was opened last.
    tag: Option<Tag>,
    state: State,
}

enum Opening {
    /// The header has not arrived yet.
    Waiting(PayloadKey),
    Ready(Box<Opener>),
}

#[derive(Clone, Copy)]
enum State {
    /// `collected` is the beginning of a segment.
    Collecting,
    /// `collected` is a segment whose plaintext was just given.
    Given,
    /// The last segment is open.
    Complete,
    /// Nothing is released any more.
    Failed(OpenError),
}

impl OpenStream {
    /// Opens a payload of unknown size, whose end shows at [`finish`](Self::finish).
    #[must_use]
    pub fn new(key: PayloadKey) -> Self {
        Self::build(Opening::Waiting(key), None)
    }

    /// Opens a payload of known size.
    #[must_use]
    pub fn with_layout(key: PayloadKey, layout: Layout) -> Self {
        Self::build(Opening::Waiting(key), Some(layout))
    }

    /// Goes on with a payload of known size whose first `already` segments were opened before. The bytes to push begin at
    /// the next one. If all were, there is nothing to push, and [`finish`](Self::finish) succeeds.
    #[must_use]
    pub fn resume(opener: Opener, layout: Layout, already: u64) -> Self {
        let mut stream = Self::build(Opening::Ready(Box::new(opener)), Some(layout));
        stream.opened = already;
        if already >= layout.segments() {
            stream.state = State::Complete;
        }
        stream
    }

    fn build(opening: Opening, layout: Option<Layout>) -> Self {
        Self { opening, layout, opened: 0, collected: Vec::new(), tag: None, state: State::Collecting }
    }

    /// The payload's header, once the first segment is open.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        match &self.opening {
            Opening::Waiting(_) => None,
            Opening::Ready(opener) => Some(opener.header()),
        }
    }

    /// The tag of the segment that was opened last; none before the first, nor after a resumption.
    #[must_use]
    pub fn tag(&self) -> Option<Tag> {
        self.tag
    }

    /// How many segments are open, those opened before a resumption included.
    #[must_use]
    pub fn opened_segments(&self) -> u64 {
        self.opened
    }

    /// Takes bytes off the front of `input` and gives the plaintext of a segment as soon as one is authenticated. To be
    /// called until it gives `None`, which says that all of `input` is taken.
    pub fn push(&mut self, input: &mut &[u8]) -> Result<Option<&[u8]>, OpenError> {
        match self.state {
            State::Failed(error) => return Err(error),
            State::Complete if input.is_empty() => return Ok(None),
            State::Complete => return Err(self.fail(OpenError::Extended)),
            State::Given => {
                self.collected.clear();
                self.state = State::Collecting;
            }
            State::Collecting => {}
        }
        let (wanted, known_last) = match (self.layout, u32::try_from(self.opened)) {
            (_, Err(_)) => return Err(self.fail(OpenError::Extended)),
            (None, Ok(_)) => (SEGMENT_SIZE, None),
            (Some(layout), Ok(index)) => {
                let range = layout.sealed_range(index);
                let length = usize::try_from(range.end - range.start).expect("a segment is at most 1 MiB");
                (length, Some(layout.is_last(index)))
            }
        };
        let (taken, rest) = input.split_at(input.len().min(wanted - self.collected.len()));
        self.collected.extend_from_slice(taken);
        *input = rest;
        // Without a layout, only a byte behind a full segment shows that it is not the last.
        let whole = self.collected.len() == wanted && (known_last.is_some() || !input.is_empty());
        if whole { self.give(known_last.unwrap_or(false)).map(Some) } else { Ok(None) }
    }

    /// Says that the payload's bytes have ended, and gives the plaintext that was still held back: of a payload of unknown
    /// size the last segment, else nothing. Success means that the whole payload is authentic.
    pub fn finish(&mut self) -> Result<&[u8], OpenError> {
        match self.state {
            State::Failed(error) => Err(error),
            State::Complete => Ok(&[]),
            State::Collecting if self.layout.is_none() => self.give(true),
            State::Collecting | State::Given => Err(self.fail(OpenError::Truncated)),
        }
    }

    fn give(&mut self, last: bool) -> Result<&[u8], OpenError> {
        match self.open_collected(last) {
            Ok(plaintext) => {
                self.opened += 1;
                self.state = if last { State::Complete } else { State::Given };
                Ok(&self.collected[plaintext])
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Opens the collected segment in place and says where in it the plaintext is.
    fn open_collected(&mut self, last: bool) -> Result<Range<usize>, OpenError> {
        let index = u32::try_from(self.opened).map_err(|_| OpenError::Extended)?;
        // Opening may leave anything behind the plaintext.
        let tag = self.collected.last_chunk::<TAG_SIZE>().copied().map(Tag::from_bytes).ok_or(OpenError::Truncated)?;
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
        let start = header_room(index);
        self.tag = Some(tag);
        Ok(start..start + length)
    }

    fn fail(&mut self, error: OpenError) -> OpenError {
        self.collected = Vec::new();
        self.state = State::Failed(error);
        error
    }
}
