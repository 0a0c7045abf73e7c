//! The writer of a payload.

use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use super::blocking;
use super::folder::Folder;
use super::part::Part;
use crate::domain::id::TransferId;
use crate::domain::store::{PayloadWriter, StoreError};

/// How much is written at once.
const BLOCK: usize = 1 << 20;

/// How many pieces are written at once: what one system call takes.
const PIECES: usize = 1024;

/// Gathers what comes into blocks; while one is written, the next one is gathered.
pub(super) struct Upload {
    folder: Arc<Folder>,
    id: TransferId,
    start: u64,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    part: Hold,
    /// After an error the next bytes would not stand where they belong.
    failed: bool,
}

/// The partial file lives with whoever works on it, so that its lock ends only when the last write has.
enum Hold {
    Idle(Part),
    Writing(JoinHandle<(Part, Result<(), StoreError>)>),
    Gone,
}

impl Upload {
    /// Opens a payload to go on writing at `offset`.
    pub(super) async fn open(folder: Arc<Folder>, id: TransferId, offset: u64) -> Result<Self, StoreError> {
        let shared = Arc::clone(&folder);
        let part = blocking(move || Part::ending_at(&shared, id, offset)).await?;
        Ok(Self {
            folder,
            id,
            start: offset,
            gathered: Vec::new(),
            gathered_bytes: 0,
            part: Hold::Idle(part),
            failed: false,
        })
    }

    /// Waits for the write that is under way.
    async fn settle(&mut self) -> Result<(), StoreError> {
        let Hold::Writing(writing) = &mut self.part else { return Ok(()) };
        let (part, written) = match writing.await {
            Ok((part, written)) => (Hold::Idle(part), written),
            Err(gone) => (Hold::Gone, Err(StoreError::unavailable(gone))),
        };
        self.part = part;
        if written.is_err() {
            self.failed = true;
            self.forget();
        }
        written
    }

    /// Begins to write what was gathered.
    fn begin(&mut self) {
        self.part = match mem::replace(&mut self.part, Hold::Gone) {
            Hold::Idle(part) if !self.gathered.is_empty() => Hold::Writing(append(part, mem::take(&mut self.gathered))),
            other => other,
        };
        self.forget();
    }

    fn forget(&mut self) {
        self.gathered.clear();
        self.gathered_bytes = 0;
    }

    fn take(&mut self) -> Result<Part, StoreError> {
        match mem::replace(&mut self.part, Hold::Gone) {
            Hold::Idle(part) => Ok(part),
            Hold::Writing(_) | Hold::Gone => Err(StoreError::unavailable("the writer of this payload is gone")),
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
impl PayloadWriter for Upload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::unavailable("an earlier write of this payload failed"));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.gathered_bytes += bytes.len();
        self.gathered.push(bytes);
        if self.gathered_bytes >= BLOCK || self.gathered.len() >= PIECES {
            self.settle().await?;
            self.begin();
        }
        Ok(())
    }

    async fn close(mut self: Box<Self>) -> Result<u64, StoreError> {
        if !self.failed {
            self.settle().await?;
            self.begin();
            self.settle().await?;
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
        // What this writer wrote goes, whether it was written well or not.
        drop(self.settle().await);
        let (mut part, start) = (self.take()?, self.start);
        // After a failed sync it may have been cut further back already; it must not grow a hole.
        blocking(move || part.truncate(start.min(part.length()))).await
    }
}

impl Drop for Upload {
    /// Still tries to write what was gathered: an upload on a slow line that breaks has little else.
    fn drop(&mut self) {
        let (part, pieces) = (mem::replace(&mut self.part, Hold::Gone), mem::take(&mut self.gathered));
        let Ok(runtime) = Handle::try_current() else { return };
        if pieces.is_empty() {
            return;
        }
        runtime.spawn(async move {
            let part = match part {
                Hold::Idle(part) => part,
                Hold::Writing(writing) => match writing.await {
                    Ok((part, Ok(()))) => part,
                    _ => return,
                },
                Hold::Gone => return,
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
    async fn taking_back_never_makes_a_payload_longer() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::new(directory.path().to_owned(), Durability::Full));
        let id = TransferId::random();
        let mut first = Upload::open(folder.clone(), id, 0).await.unwrap();
        first.write(Bytes::from_static(b"acknowledged")).await.unwrap();
        assert_eq!(Box::new(first).close().await.unwrap(), 12);
        let mut second = Upload::open(folder.clone(), id, 12).await.unwrap();
        // What a failed sync does: the disk can be trusted up to here only.
        let Hold::Idle(part) = &mut second.part else { panic!("nothing was written yet") };
        part.truncate(5).unwrap();
        Box::new(second).discard().await.unwrap();
        assert_eq!(folder.received(id).unwrap(), 5, "the rest is a hole, and no longer what was acknowledged");
    }
}
