//! Reads payload files as streams.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use futures_util::stream;
use tokio::task::{JoinHandle, spawn_blocking};

use super::folder::{Folder, hard_links, optional};
use crate::domain::id::TransferId;
use crate::domain::store::{PayloadStream, StoreError};

/// Bytes per read. A download has two blocks in memory: one being sent and one read ahead.
const BLOCK: u64 = 256 << 10;

/// Unread rest of a range of a payload.
pub(super) struct PayloadReader {
    file: File,
    remaining: u64,
}

/// Read-ahead state of a download.
enum ReadAhead {
    Unread(PayloadReader),
    Reading(Option<Reading>),
}

type Reading = JoinHandle<(PayloadReader, io::Result<Bytes>)>;

impl PayloadReader {
    /// Opens a range of a finished payload.
    ///
    /// # Errors
    /// [`StoreError::NoPayload`] if the payload is missing or shorter than the range.
    pub(super) fn open(folder: &Folder, id: TransferId, range: &Range<u64>) -> Result<Self, StoreError> {
        let mut file = optional(File::open(folder.finished(id)))?.ok_or(StoreError::NoPayload)?;
        if range.start > range.end || range.end > file.metadata()?.len() {
            return Err(StoreError::NoPayload);
        }
        file.seek(SeekFrom::Start(range.start))?;
        Ok(Self { file, remaining: range.end - range.start })
    }

    /// Converts the range into a stream that reads one block ahead.
    ///
    /// Reading starts at the first poll: a client that opens many downloads and reads none uses no block memory.
    pub(super) fn into_stream(self) -> PayloadStream {
        Box::pin(stream::unfold(ReadAhead::Unread(self), async |ahead| {
            let reading = match ahead {
                ReadAhead::Unread(download) => download.next(),
                ReadAhead::Reading(reading) => reading,
            };
            let (rest, block) = match reading?.await {
                Ok((download, Ok(block))) => (download.next(), Ok(block)),
                Ok((_, Err(error))) => (None, Err(error)),
                Err(error) => (None, Err(io::Error::other(error))),
            };
            Some((block, ReadAhead::Reading(rest)))
        }))
    }

    /// Starts reading the next block; `None` at the end of the range.
    fn next(mut self) -> Option<Reading> {
        (self.remaining > 0).then(|| {
            spawn_blocking(move || {
                let block = self.read();
                (self, block)
            })
        })
    }

    fn read(&mut self) -> io::Result<Bytes> {
        let block_length = self.remaining.min(BLOCK);
        let mut block = Vec::with_capacity(usize::try_from(block_length).expect("a block fits in memory"));
        let length = (&self.file).take(block_length).read_to_end(&mut block)?;
        if length as u64 != block_length {
            let kind =
                if hard_links(&self.file.metadata()?) == 0 { ErrorKind::NotFound } else { ErrorKind::UnexpectedEof };
            return Err(kind.into());
        }
        self.remaining -= block_length;
        Ok(block.into())
    }
}
