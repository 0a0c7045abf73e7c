//! The payloads: one file each.

use std::fs;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use super::download::Download;
use super::folder::present;
use super::part::Part;
use super::upload::Upload;
use super::{FileStore, blocking};
use crate::domain::id::TransferId;
use crate::domain::store::{Held, PayloadStream, PayloadWriter, Payloads, StoreError};

#[async_trait]
impl Payloads for FileStore {
    async fn received(&self, id: TransferId) -> Result<u64, StoreError> {
        let folder = Arc::clone(&self.0.payloads);
        blocking(move || Ok(folder.received(id)?)).await
    }

    async fn writer(&self, id: TransferId, offset: u64) -> Result<Box<dyn PayloadWriter>, StoreError> {
        Ok(Box::new(Upload::open(Arc::clone(&self.0.payloads), id, offset).await?))
    }

    async fn finish(&self, id: TransferId, size: u64) -> Result<u64, StoreError> {
        let folder = Arc::clone(&self.0.payloads);
        blocking(move || {
            match Part::existing(&folder, id)? {
                Some(part) if part.length() == size => part.finish()?,
                // Whoever renamed it may have ended before the directory was on the disk.
                None if folder.finished(id).exists() => folder.sync(id)?,
                Some(_) | None => {}
            }
            Ok(folder.received(id)?)
        })
        .await
    }

    async fn read(&self, id: TransferId, range: Range<u64>) -> Result<PayloadStream, StoreError> {
        let folder = Arc::clone(&self.0.payloads);
        let download = blocking(move || Download::open(&folder, id, &range)).await?;
        Ok(download.into_stream())
    }

    /// The partial file goes first: whoever is finishing it then finds nothing to rename, and leaves no final one.
    async fn remove(&self, id: TransferId) -> Result<(), StoreError> {
        let folder = Arc::clone(&self.0.payloads);
        blocking(move || {
            present(fs::remove_file(folder.part(id)))?;
            present(fs::remove_file(folder.finished(id)))?;
            // Whoever removed them before may have ended before that was on the disk.
            present(folder.sync(id))?;
            Ok(())
        })
        .await
    }

    async fn held(&self, after: Option<TransferId>, limit: usize) -> Result<Vec<Held>, StoreError> {
        let folder = Arc::clone(&self.0.payloads);
        blocking(move || Ok(folder.held(after, limit)?)).await
    }
}
