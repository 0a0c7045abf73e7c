//! Payload writer of the `file:` backend.

use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use super::blocking;
use super::folder::Folder;
use super::part::Part;
use crate::domain::id::PayloadId;
use crate::domain::store::{PayloadWriter, StoreError};

/// Number of buffered bytes that starts a write.
const BLOCK: usize = 1 << 20;

/// Number of buffered pieces that starts a write: the maximum of one `writev` call.
const PIECES: usize = 1024;

/// Buffers incoming pieces into blocks; while one block is written, the next one is buffered.
pub(super) struct FileWriter {
    folder: Arc<Folder>,
    id: PayloadId,
    start: u64,
    buffered: Vec<Bytes>,
    buffered_bytes: usize,
    part: PartialFile,
    /// Error of a failed write, which every further write returns. Further bytes would be written at a wrong offset.
    failure: Option<StoreError>,
}

/// State of the partial file.
///
/// The current user of the file owns it, so that its lock is released only after the last write.
enum PartialFile {
    Idle(Part),
    Writing(JoinHandle<(Part, Result<(), StoreError>)>),
    Gone,
}

impl FileWriter {
    /// Opens a payload for writing at `offset`.
    pub(super) async fn open(folder: Arc<Folder>, id: PayloadId, offset: u64) -> Result<Self, StoreError> {
        let shared = Arc::clone(&folder);
        let part = blocking(move || Part::open_at(&shared, id, offset)).await?;
        Ok(Self {
            folder,
            id,
            start: offset,
            buffered: Vec::new(),
            buffered_bytes: 0,
            part: PartialFile::Idle(part),
            failure: None,
        })
    }

    /// Waits for the write in progress.
    async fn finish_write(&mut self) -> Result<(), StoreError> {
        let PartialFile::Writing(writing) = &mut self.part else { return Ok(()) };
        let (part, written) = match writing.await {
            Ok((part, written)) => (PartialFile::Idle(part), written),
            Err(error) => (PartialFile::Gone, Err(StoreError::unavailable(error))),
        };
        self.part = part;
        if let Err(error) = &written {
            self.failure = Some(error.for_later_writes());
            self.forget();
        }
        written
    }

    /// Starts writing the buffered pieces.
    fn begin(&mut self) {
        self.part = match mem::replace(&mut self.part, PartialFile::Gone) {
            PartialFile::Idle(part) if !self.buffered.is_empty() => {
                PartialFile::Writing(append(part, mem::take(&mut self.buffered)))
            }
            other => other,
        };
        self.forget();
    }

    fn forget(&mut self) {
        self.buffered.clear();
        self.buffered_bytes = 0;
    }

    fn take(&mut self) -> Result<Part, StoreError> {
        match mem::replace(&mut self.part, PartialFile::Gone) {
            PartialFile::Idle(part) => Ok(part),
            PartialFile::Writing(_) | PartialFile::Gone => {
                Err(StoreError::unavailable("the writer of this payload has ended"))
            }
        }
    }
}

fn append(mut part: Part, pieces: Vec<Bytes>) -> JoinHandle<(Part, Result<(), StoreError>)> {
    spawn_blocking(move || {
        let written = part.append(pieces);
        (part, written)
    })
}

#[async_trait]
impl PayloadWriter for FileWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if let Some(error) = &self.failure {
            return Err(error.for_later_writes());
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.buffered_bytes += bytes.len();
        self.buffered.push(bytes);
        if self.buffered_bytes >= BLOCK || self.buffered.len() >= PIECES {
            self.finish_write().await?;
            self.begin();
        }
        Ok(())
    }

    async fn close(mut self: Box<Self>) -> Result<u64, StoreError> {
        if self.failure.is_none() {
            self.finish_write().await?;
            self.begin();
            self.finish_write().await?;
        }
        let (part, folder, id) = (self.take()?, Arc::clone(&self.folder), self.id);
        blocking(move || {
            let received = folder.received(id)?;
            drop(part);
            Ok(received)
        })
        .await
    }

    async fn discard(mut self: Box<Self>) -> Result<(), StoreError> {
        self.forget();
        // All bytes of this writer are removed, whether or not they were written successfully.
        drop(self.finish_write().await);
        let (mut part, start) = (self.take()?, self.start);
        // After a failed sync the file may be shorter than `start` already; extending it would leave a hole.
        blocking(move || part.truncate(start.min(part.length()))).await
    }
}

impl Drop for FileWriter {
    /// Writes the buffered pieces in the background.
    ///
    /// On a slow connection that breaks, the buffer may be most of what the upload has sent.
    fn drop(&mut self) {
        let (part, pieces) = (mem::replace(&mut self.part, PartialFile::Gone), mem::take(&mut self.buffered));
        let Ok(runtime) = Handle::try_current() else { return };
        if pieces.is_empty() {
            return;
        }
        runtime.spawn(async move {
            let part = match part {
                PartialFile::Idle(part) => part,
                PartialFile::Writing(writing) => match writing.await {
                    Ok((part, Ok(()))) => part,
                    _ => return,
                },
                PartialFile::Gone => return,
            };
            drop(append(part, pieces).await);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Durability;
    use super::*;

    #[tokio::test]
    async fn every_write_after_a_removal_returns_the_same_error() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::new(directory.path().to_owned(), Durability::Full));
        let id = PayloadId::random();
        let mut writer = FileWriter::open(folder.clone(), id, 0).await.unwrap();
        std::fs::remove_file(folder.part(id)).unwrap();
        writer.write(Bytes::from(vec![0; BLOCK])).await.unwrap();
        for _ in 0..3 {
            let written = writer.write(Bytes::from(vec![0; BLOCK])).await;
            assert!(matches!(written, Err(StoreError::NoPayload)), "{written:?}");
        }
    }

    #[tokio::test]
    async fn discarding_never_extends_a_payload() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::new(directory.path().to_owned(), Durability::Full));
        let id = PayloadId::random();
        let mut first = FileWriter::open(folder.clone(), id, 0).await.unwrap();
        first.write(Bytes::from_static(b"acknowledged")).await.unwrap();
        assert_eq!(Box::new(first).close().await.unwrap(), 12);
        let mut second = FileWriter::open(folder.clone(), id, 12).await.unwrap();
        // Simulates a failed sync: only bytes up to this length can be trusted.
        let PartialFile::Idle(part) = &mut second.part else { panic!("no write is in progress yet") };
        part.truncate(5).unwrap();
        Box::new(second).discard().await.unwrap();
        assert_eq!(folder.received(id).unwrap(), 5, "discarding extended the file with a hole");
    }
}
