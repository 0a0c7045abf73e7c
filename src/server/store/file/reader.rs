//! Reads payload files as streams.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use tokio::task::{JoinHandle, spawn_blocking};

use super::folder::{Folder, hard_links, optional};
use crate::domain::id::PayloadId;
use crate::domain::store::{PayloadStream, StoreError};

/// Bytes per read. A download has one block in memory that is being sent; a fast one has another block read ahead.
const BLOCK: u64 = 256 << 10;
/// Time within which a fast client takes a block, so that the next one is read ahead.
const FAST: Duration = Duration::from_millis(100);

/// Unread rest of a range of a payload.
pub(super) struct PayloadReader {
    file: File,
    remaining: u64,
}

/// State of a payload stream between two blocks.
struct BlockStream {
    next: Next,
    /// Time at which the last block was passed on; `None` before the first.
    passed_at: Option<Instant>,
}

/// Next block of a stream.
enum Next {
    /// Not read yet.
    Unread(PayloadReader),
    /// Read ahead.
    Reading(Reading),
    /// The range has ended.
    End,
}

type Reading = JoinHandle<(PayloadReader, io::Result<Bytes>)>;

impl PayloadReader {
    /// Opens a range of a finished payload.
    ///
    /// # Errors
    /// [`StoreError::NoPayload`] if the payload is missing or shorter than the range.
    pub(super) fn open(folder: &Folder, id: PayloadId, range: &Range<u64>) -> Result<Self, StoreError> {
        let mut file = optional(File::open(folder.finished(id)))?.ok_or(StoreError::NoPayload)?;
        if range.start > range.end || range.end > file.metadata()?.len() {
            return Err(StoreError::NoPayload);
        }
        file.seek(SeekFrom::Start(range.start))?;
        Ok(Self { file, remaining: range.end - range.start })
    }

    /// Converts the range into a stream.
    ///
    /// Reading starts at the first poll, and a block is read ahead only for a client that took the last one at once. A
    /// slow client costs one block, and a client that reads nothing costs none.
    pub(super) fn into_stream(self) -> PayloadStream {
        let download = BlockStream { next: Next::Unread(self), passed_at: None };
        Box::pin(stream::unfold(download, BlockStream::pass_block))
    }

    /// Starts reading the next block.
    fn start(mut self) -> Next {
        if self.remaining == 0 {
            return Next::End;
        }
        Next::Reading(spawn_blocking(move || {
            let block = self.read();
            (self, block)
        }))
    }

    fn read(&mut self) -> io::Result<Bytes> {
        let block_length = self.remaining.min(BLOCK);
        let mut block = Vec::with_capacity(usize::try_from(block_length).expect("a block fits in memory"));
        let length = (&self.file).take(block_length).read_to_end(&mut block)?;
        if length as u64 != block_length {
            // A removed payload is truncated after its unlink, so readers find a short file without links.
            let kind =
                if hard_links(&self.file.metadata()?) == 0 { ErrorKind::NotFound } else { ErrorKind::UnexpectedEof };
            return Err(kind.into());
        }
        self.remaining -= block_length;
        Ok(block.into())
    }
}

impl BlockStream {
    async fn pass_block(self) -> Option<(io::Result<Bytes>, Self)> {
        let is_fast = self.passed_at.is_some_and(|at| at.elapsed() < FAST);
        let next = match self.next {
            Next::Unread(reader) => reader.start(),
            reading => reading,
        };
        let Next::Reading(reading) = next else { return None };
        let (next, block) = match reading.await {
            Ok((reader, Ok(block))) => (if is_fast { reader.start() } else { Next::Unread(reader) }, Ok(block)),
            Ok((_, Err(error))) => (Next::End, Err(error)),
            Err(error) => (Next::End, Err(io::Error::other(error))),
        };
        Some((block, Self { next, passed_at: Some(Instant::now()) }))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn reader(blocks: u64) -> PayloadReader {
        let file = tempfile::tempfile().unwrap();
        file.set_len(blocks * BLOCK).unwrap();
        PayloadReader { file, remaining: blocks * BLOCK }
    }

    #[tokio::test]
    async fn only_a_fast_client_has_a_block_read_ahead() {
        let mut download = BlockStream { next: Next::Unread(reader(4)), passed_at: None };
        // No block is left to read ahead after the last.
        for (is_fast, reads_ahead) in [(false, false), (true, true), (false, false), (true, false)] {
            if !is_fast {
                download.passed_at = download.passed_at.and_then(|at| at.checked_sub(FAST));
            }
            let (block, rest) = download.pass_block().await.unwrap();
            assert_eq!(block.unwrap().len() as u64, BLOCK);
            assert_eq!(matches!(rest.next, Next::Reading(_)), reads_ahead);
            download = rest;
        }
        assert!(download.pass_block().await.is_none());
    }

    #[tokio::test]
    async fn a_stream_has_the_bytes_of_its_range() {
        let mut bytes = 0;
        let mut stream = PayloadReader { remaining: 3 * BLOCK + 5, ..reader(4) }.into_stream();
        while let Some(block) = stream.next().await {
            bytes += block.unwrap().len() as u64;
        }
        assert_eq!(bytes, 3 * BLOCK + 5);
    }
}
