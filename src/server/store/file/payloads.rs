//! Payload operations of the `file:` backend; one file per payload.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::folder::{hard_links, optional};
use super::part::Part;
use super::reader::PayloadReader;
use super::writer::FileWriter;
use super::{FileStore, blocking};
use crate::domain::id::PayloadId;
use crate::domain::store::{PayloadObjects, PayloadStream, PayloadWriter, Payloads, StoreError};

/// Removes a file and truncates it to zero. Its space is freed at once although readers have the file open.
///
/// Readers then reach the end of a file without a name, which tells them of the removal. A file with further hard links
/// is somebody's copy, such as a backup, and keeps its content.
fn remove_and_empty(path: &Path) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    fs::remove_file(path)?;
    if hard_links(&file.metadata()?) == 0 { file.set_len(0) } else { Ok(()) }
}

#[async_trait]
impl Payloads for FileStore {
    async fn received(&self, id: PayloadId) -> Result<u64, StoreError> {
        let folder = Arc::clone(&self.0.payloads);
        blocking(move || Ok(folder.received(id)?)).await
    }

    async fn writer(&self, id: PayloadId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError> {
        Ok(Box::new(FileWriter::open(Arc::clone(&self.0.payloads), id, offset).await?))
    }

    async fn finish(&self, id: PayloadId, size: u64) -> Result<u64, StoreError> {
        let folder = Arc::clone(&self.0.payloads);
        blocking(move || {
            match Part::existing(&folder, id)? {
                Some(part) if part.length() == size => part.finish()?,
                // Another process may have crashed between its rename and the sync of the directory.
                None if folder.finished(id).exists() => folder.sync(id)?,
                Some(_) | None => {}
            }
            Ok(folder.received(id)?)
        })
        .await
    }

    async fn read(&self, id: PayloadId, range: Range<u64>) -> Result<PayloadStream, StoreError> {
        let folder = Arc::clone(&self.0.payloads);
        let reader = blocking(move || PayloadReader::open(&folder, id, &range)).await?;
        Ok(reader.into_stream())
    }

    /// Removes the partial file first. A concurrent `finish` then has nothing to rename and leaves no finished file.
    async fn remove(&self, id: PayloadId) -> Result<(), StoreError> {
        let (folder, disk) = (Arc::clone(&self.0.payloads), Arc::clone(&self.0.disk));
        blocking(move || {
            let mut is_removed = false;
            for file in [folder.part(id), folder.finished(id)] {
                is_removed |= optional(remove_and_empty(&file))?.is_some();
            }
            // Another process may have crashed between removing the files and syncing the directory.
            optional(folder.sync(id))?;
            if is_removed {
                // Completes the reserve before other programs on a full disk take the space.
                disk.measure();
            }
            Ok(())
        })
        .await
    }

    async fn list_stored(&self, after: Option<PayloadId>, limit: usize) -> Result<Vec<PayloadObjects>, StoreError> {
        let folder = Arc::clone(&self.0.payloads);
        blocking(move || Ok(folder.list(after, limit)?)).await
    }
}
