//! Fetching through the service: a payload's bytes, in order and once each, over as many connections as it takes.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use reqwest::Response;
use tokio::sync::mpsc;

use crate::client::http::content_range::ContentRange;
use crate::client::{Api, ClientError, Progress, RetryPolicy};
use crate::domain::crypto::proof::Grant;
use crate::domain::transfer::Status;

/// A payload to be fetched under one grant.
pub(super) struct Fetching<'a> {
    pub api: &'a Api,
    pub address: &'a str,
    pub grant: &'a Grant,
    pub size: u64,
    pub progress: &'a dyn Progress,
}

/// A payload that was not fetched to its end.
pub(super) enum FetchError {
    Client(ClientError),
    OtherRange,
    /// The payload is not there any more.
    Gone(Status),
    /// Whoever takes the pieces has failed.
    NotWanted,
}

impl From<ClientError> for FetchError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl Fetching<'_> {
    /// Fetches everything from `offset` on into `pieces`.
    pub(super) async fn run(
        &self,
        mut offset: u64,
        pieces: &mpsc::Sender<Bytes>,
        mut patience: RetryPolicy,
    ) -> Result<(), FetchError> {
        while offset < self.size {
            let before = offset;
            let outcome = self.fetch_from(&mut offset, pieces, patience.stall()).await;
            if offset > before {
                patience.progressed();
            }
            match outcome {
                Err(FetchError::Client(error)) if error.is_transient() => {
                    patience.wait_after(error, self.progress).await?;
                }
                // The body was shorter than announced, which hyper reports, or announced shorter than it is.
                Ok(()) if offset < self.size => {
                    let cut = ClientError::CutShort { origin: self.api.origin().clone() };
                    patience.wait_after(cut, self.progress).await?;
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// Fetches in one request, and moves `offset` with every piece that was handed on.
    async fn fetch_from(
        &self,
        offset: &mut u64,
        pieces: &mpsc::Sender<Bytes>,
        stall: Duration,
    ) -> Result<(), FetchError> {
        let stalled = || ClientError::Timeout { origin: self.api.origin().clone() };
        let response = tokio::time::timeout(stall, self.api.fetch(self.address, self.grant, *offset));
        let mut response = response.await.map_err(|_| stalled())??;
        if !begins_at(&response, *offset) {
            return Err(FetchError::OtherRange);
        }
        loop {
            let chunk = tokio::time::timeout(stall, response.chunk()).await.map_err(|_| stalled())?;
            let chunk = chunk.map_err(|error| ClientError::of_request(self.api.origin().clone(), error))?;
            let Some(piece) = chunk else { return Ok(()) };
            *offset += piece.len() as u64;
            // What goes on behind its end is told by who opens it.
            pieces.send(piece).await.map_err(|_| FetchError::NotWanted)?;
            self.progress.moved_to((*offset).min(self.size));
            // A server that keeps its connection open is not waited for.
            if *offset >= self.size {
                return Ok(());
            }
        }
    }
}

/// Whether the body is the payload from `offset` on.
fn begins_at(response: &Response, offset: u64) -> bool {
    if offset == 0 {
        return response.status() == StatusCode::OK;
    }
    ContentRange::of(response).is_some_and(|range| range.start == offset)
}
