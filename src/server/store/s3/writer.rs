//! Payload writer of the S3 backend.

use async_trait::async_trait;
use bytes::Bytes;

use super::S3Store;
use super::leased_upload::LeasedUpload;
use crate::domain::error::chain;
use crate::domain::id::PayloadId;
use crate::domain::store::{PayloadWriter, StoreError};

/// Payload writer; empty once it is closed or dropped.
pub(super) struct S3Writer(Option<LeasedUpload>);

impl S3Writer {
    /// Takes the payload's lease for writing at `offset`, as [`LeasedUpload::open`] does.
    ///
    /// # Errors
    /// The errors of [`LeasedUpload::open`].
    pub(super) async fn open(store: &S3Store, id: PayloadId, offset: u64) -> Result<Self, StoreError> {
        Ok(Self(Some(LeasedUpload::open(store, id, offset).await?)))
    }

    fn upload(&mut self) -> &mut LeasedUpload {
        self.0.as_mut().expect("the upload is taken only by close, discard and drop")
    }
}

#[async_trait]
impl PayloadWriter for S3Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.upload().write(bytes).await
    }

    async fn close(mut self: Box<Self>) -> Result<u64, StoreError> {
        self.0.take().expect("a writer is closed once").close().await
    }

    async fn discard(mut self: Box<Self>) -> Result<(), StoreError> {
        self.0.take().expect("a writer is closed once").discard().await
    }
}

impl Drop for S3Writer {
    fn drop(&mut self) {
        let Some(upload) = self.0.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = upload.close().await {
                tracing::debug!(error = %chain(&error), "cannot store the last bytes of an interrupted upload");
            }
        });
    }
}
