//! Downloads through the service. Reads a payload in order, reconnecting and resuming after lost connections.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use reqwest::Response;
use tokio::sync::mpsc;

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
    /// Downloads the payload from `offset` to its end into `pieces`, with retries.
    pub(super) async fn run(
        &self,
        mut offset: u64,
        pieces: &mpsc::Sender<Bytes>,
        mut retry: RetryPolicy,
    ) -> Result<(), FetchError> {
        while offset < self.size {
            let before = offset;
            let outcome = self.fetch_from(&mut offset, pieces, retry.idle_timeout()).await;
            if offset > before {
                retry.reset();
            }
            match outcome {
                Err(FetchError::Client(error)) if error.is_transient() => {
                    retry.wait_after(error, self.progress).await?;
                }
                // Either hyper found the body shorter than its announced length, or the announced length is too short.
                Ok(()) if offset < self.size => {
                    let cut = ClientError::Incomplete { destination: self.api.destination().clone() };
                    retry.wait_after(cut, self.progress).await?;
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// Downloads in one request. Advances `offset` with every piece passed on.
    async fn fetch_from(
        &self,
        offset: &mut u64,
        pieces: &mpsc::Sender<Bytes>,
        stall: Duration,
    ) -> Result<(), FetchError> {
        let stalled = || ClientError::Timeout { destination: self.api.destination().clone() };
        let response = tokio::time::timeout(stall, self.api.download_bytes(self.address, self.grant, *offset));
        let mut response = response.await.map_err(|_| stalled())??;
        if !begins_at(&response, *offset) {
            return Err(FetchError::WrongRange);
        }
        loop {
            let chunk = tokio::time::timeout(stall, response.chunk()).await.map_err(|_| stalled())?;
            let chunk = chunk.map_err(|error| ClientError::of_request(self.api.destination(), error))?;
            let Some(piece) = chunk else { return Ok(()) };
            *offset += piece.len() as u64;
            // The decrypter reports bytes beyond the end of the payload.
            pieces.send(piece).await.map_err(|_| FetchError::ReceiverClosed)?;
            self.progress.transferred((*offset).min(self.size));
            // Does not wait for the server to close the connection.
            if *offset >= self.size {
                return Ok(());
            }
        }
    }
}

/// Returns whether the body is the payload from byte `offset` on.
fn begins_at(response: &Response, offset: u64) -> bool {
    if offset == 0 {
        return response.status() == StatusCode::OK;
    }
    ContentRange::of(response).is_some_and(|range| range.start == offset)
}
