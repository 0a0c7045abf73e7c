//! Reads payload objects as streams.

use std::io::{self, ErrorKind};
use std::ops::Range;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::bucket::{Bucket, MAX_ATTEMPTS};
use crate::domain::error::chain;
use crate::domain::store::{PayloadStream, StorageKey, StoreError};

/// Unread rest of a range of a payload object.
pub(super) struct ObjectReader {
    bucket: Bucket,
    key: StorageKey,
    rest: Range<u64>,
    body: ByteStream,
    /// Number of failures since the last received byte.
    failures: u32,
}

impl ObjectReader {
    /// Opens a non-empty range of a finished payload.
    ///
    /// # Errors
    /// [`StoreError::NoPayload`] if the payload is missing or shorter than the range.
    pub(super) async fn open(bucket: &Bucket, key: StorageKey, range: Range<u64>) -> Result<Self, StoreError> {
        let opened = bucket.open(&key, range.clone()).await?.ok_or(StoreError::NoPayload)?;
        Ok(Self { bucket: bucket.clone(), key, rest: range, body: opened.body, failures: 0 })
    }

    /// Converts the range into a stream.
    ///
    /// If the server closes the connection or delivers nothing, the rest is requested again: a payload never changes.
    pub(super) fn into_stream(self) -> PayloadStream {
        stream::try_unfold(self, async |mut reader| Ok(reader.next().await?.map(|piece| (piece, reader)))).boxed()
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.rest.is_empty() {
            match self.body.try_next().await {
                Ok(Some(piece)) => {
                    self.rest.start += piece.len() as u64;
                    self.failures = 0;
                    return Ok(Some(piece));
                }
                Ok(None) => self.reopen(ErrorKind::UnexpectedEof.into()).await?,
                Err(error) => self.reopen(io::Error::other(error)).await?,
            }
        }
        Ok(None)
    }

    /// Requests the rest of the range after a failed request.
    async fn reopen(&mut self, error: io::Error) -> io::Result<()> {
        self.failures += 1;
        if self.failures >= MAX_ATTEMPTS {
            return Err(error);
        }
        tracing::debug!(error = %chain(&error), offset = self.rest.start, "requesting the rest of a payload again");
        let opened = self.bucket.open(&self.key, self.rest.clone()).await.map_err(io::Error::other)?;
        self.body = opened.ok_or(ErrorKind::NotFound)?.body;
        Ok(())
    }
}
