//! Downloads through the service. Reads a payload in order, reconnecting and resuming after lost connections.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use reqwest::Response;
use tokio::sync::mpsc;

use super::wanted::WantedRanges;
use crate::client::http::content_range::ContentRange;
use crate::client::{Api, ClientError, Progress, RetryPolicy};
use crate::domain::crypto::proof::Grant;
use crate::domain::transfer::Status;

/// Download of one payload under one grant.
pub(super) struct ServiceDownload<'a> {
    pub api: &'a Api,
    pub address: &'a str,
    pub grant: &'a Grant,
    pub size: u64,
    pub progress: &'a dyn Progress,
}

/// Reason why a payload was not downloaded to its end.
pub(super) enum FetchError {
    /// A request failed.
    Client(ClientError),
    /// The response has another byte range than requested.
    WrongRange,
    /// The payload no longer exists.
    Gone(Status),
    /// The receiver of the pieces has failed and closed its channel.
    ReceiverClosed,
}

impl From<ClientError> for FetchError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl ServiceDownload<'_> {
    /// Downloads the wanted ranges into `pieces`, with retries.
    pub(super) async fn run(
        &self,
        wanted: &mut WantedRanges,
        pieces: &mpsc::Sender<Bytes>,
        mut retry: RetryPolicy,
    ) -> Result<(), FetchError> {
        while let Some(range) = wanted.next() {
            let before = wanted.progress();
            let outcome = self.fetch(&range, wanted, pieces, retry.idle_timeout()).await;
            if wanted.progress() > before {
                retry.reset();
            }
            match outcome {
                Err(FetchError::Client(error)) if error.is_transient() => {
                    retry.wait_after(error, self.progress).await?;
                }
                // Either hyper found the body shorter than its announced length, or the announced length is too short.
                Ok(()) if wanted.next().is_some_and(|next| next.end == range.end) => {
                    let cut = ClientError::Incomplete { destination: self.api.destination().clone() };
                    retry.wait_after(cut, self.progress).await?;
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// Downloads `range` in one request. Advances `wanted` with every piece passed on.
    async fn fetch(
        &self,
        range: &Range<u64>,
        wanted: &mut WantedRanges,
        pieces: &mpsc::Sender<Bytes>,
        stall: Duration,
    ) -> Result<(), FetchError> {
        let stalled = || ClientError::Timeout { destination: self.api.destination().clone() };
        let end = (range.end < self.size).then_some(range.end);
        let response =
            tokio::time::timeout(stall, self.api.download_bytes(self.address, self.grant, (range.start, end)));
        let mut response = response.await.map_err(|_| stalled())??;
        if !self.has_range(&response, range) {
            return Err(FetchError::WrongRange);
        }
        let mut missing = range.end - range.start;
        while missing > 0 {
            let chunk = tokio::time::timeout(stall, response.chunk()).await.map_err(|_| stalled())?;
            let chunk = chunk.map_err(|error| ClientError::of_request(self.api.destination(), error))?;
            let Some(piece) = chunk else { return Ok(()) };
            let (size, length) = (piece.len(), piece.len() as u64);
            if length > missing && end.is_some() {
                return Err(FetchError::WrongRange);
            }
            missing = missing.saturating_sub(length);
            wanted.advance(length);
            // The decrypter reports bytes beyond the end of the payload.
            pieces.send(piece).await.map_err(|_| FetchError::ReceiverClosed)?;
            self.progress.transferred(wanted.progress());
            if let Some(throttle) = self.api.throttle() {
                throttle.received(size).await;
            }
        }
        // Does not wait for the server to close the connection.
        Ok(())
    }

    /// Returns whether the body is the payload from the start of `range` on.
    fn has_range(&self, response: &Response, range: &Range<u64>) -> bool {
        if *range == (0..self.size) {
            return response.status() == StatusCode::OK;
        }
        ContentRange::of(response).is_some_and(|found| found.start == range.start)
    }
}
