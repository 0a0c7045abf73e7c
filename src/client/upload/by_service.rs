//! Sending through the service: the payload goes on where it stopped, until the server has it whole.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::UploadError;
use super::request::{Dispatch, Payload};
use crate::client::{Api, ClientError, Progress, RetryPolicy};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::transfer::Status;
use crate::domain::wire::{CompletedTransfer, Received};

/// How long a server may hold a broken connection for the writer; it lets go after 30 s of silence.
const LINGERING: Duration = Duration::from_secs(35);
/// How often to look whether a lingering connection is gone.
const LINGERING_DELAY: Duration = Duration::from_secs(2);
/// How many segments are sealed ahead.
const SEAL_AHEAD: usize = 2;

/// How many bytes must arrive for patience to begin anew: a server that takes a byte a request is not to be sent all.
const REAL_PROGRESS: u64 = 256 * 1024;

/// One payload on its way to one server.
pub(super) struct ByService {
    api: Api,
    id: TransferId,
    address: String,
    payload: Payload,
    patience: RetryPolicy,
    progress: Arc<dyn Progress>,
    /// The most bytes that the server has acknowledged.
    furthest: u64,
    /// How many of them there were when patience last began anew.
    rewarded: u64,
    /// Since when the server has taken this payload's writer for busy.
    busy_since: Option<Instant>,
}

impl ByService {
    /// The payload of the transfer `id`, to be sent to `address`.
    pub(super) fn new(
        api: Api,
        id: TransferId,
        address: String,
        payload: Payload,
        patience: RetryPolicy,
        progress: Arc<dyn Progress>,
    ) -> Self {
        Self { api, id, address, payload, patience, progress, furthest: 0, rewarded: 0, busy_since: None }
    }

    /// Sends what is missing, the server having said that it has `already` so many bytes, and completes the upload.
    pub(super) async fn run(mut self, already: u64) -> Result<CompletedTransfer, UploadError> {
        let size = self.payload.size();
        self.payload.check_sent(already)?;
        (self.furthest, self.rewarded) = (already, already);
        let mut offset = already;
        loop {
            let outcome = if offset < size {
                self.send_from(offset).await.map(|received| received.received_bytes)
            } else {
                match self.api.complete(self.id).await {
                    Ok(completed) => return Ok(completed),
                    Err(error) => Err(error.into()),
                }
            };
            offset = match outcome {
                Ok(received) => self.acknowledged(received).await?,
                Err(UploadError::Client(error)) => self.recover(error).await?,
                Err(error) => return Err(error),
            };
        }
    }

    /// Sends everything from `offset` on in one request.
    async fn send_from(&mut self, offset: u64) -> Result<Received, UploadError> {
        self.payload.through.set(offset);
        let dispatch = Dispatch {
            range: offset..self.payload.size(),
            ahead: SEAL_AHEAD,
            origin: self.api.origin().clone(),
            stall: self.patience.stall(),
        };
        let request = |body| self.api.upload_bytes(&self.address, offset, body);
        let delivery = self.payload.send(dispatch, request).await;
        self.patience.was_moving(delivery.moving);
        delivery.outcome
    }

    /// Goes on behind what the server says that it has.
    async fn acknowledged(&mut self, received: u64) -> Result<u64, UploadError> {
        self.payload.check_sent(received)?;
        self.busy_since = None;
        self.furthest = self.furthest.max(received);
        let whole = self.furthest == self.payload.size();
        if self.furthest >= self.rewarded + REAL_PROGRESS || (whole && self.furthest > self.rewarded) {
            self.rewarded = self.furthest;
            self.patience.progressed();
        } else {
            // A server may forget what was not yet durable, and take little at a time, but not for ever.
            let lost = ClientError::CutShort { origin: self.api.origin().clone() };
            self.patience.wait_after(lost, &*self.progress).await?;
        }
        Ok(received)
    }

    /// Finds out where to go on after `error`, or that there is no going on.
    async fn recover(&mut self, mut error: ClientError) -> Result<u64, UploadError> {
        loop {
            match (error.code(), &error) {
                (Some(ErrorCode::OffsetMismatch | ErrorCode::UploadIncomplete), ClientError::Api(refusal)) => {
                    if let Some(received) = refusal.received_bytes {
                        return self.acknowledged(received).await;
                    }
                    self.patience.wait_after(error, &*self.progress).await?;
                }
                (Some(ErrorCode::UploadInProgress), _) => self.wait_for_the_place(error).await?,
                _ if error.is_transient() => self.patience.wait_after(error, &*self.progress).await?,
                _ => return Err(error.into()),
            }
            // Also where a write failed: what the server answered to it may be lost, but this tells as much.
            match self.api.upload_status(self.id).await {
                Ok(state) if state.status == Status::Completed => {
                    let size = self.payload.size();
                    return self.payload.check_sent(size).map(|()| size);
                }
                Ok(state) if state.received_bytes > self.furthest => {
                    return self.acknowledged(state.received_bytes).await;
                }
                // Nothing new, and the wait above has been counted.
                Ok(state) => return Ok(state.received_bytes),
                Err(next) => error = next,
            }
        }
    }

    /// Waits while the server takes a broken connection for a living one.
    async fn wait_for_the_place(&mut self, error: ClientError) -> Result<(), ClientError> {
        match self.busy_since {
            Some(since) if since.elapsed() > LINGERING => return Err(error),
            Some(_) => {}
            None => {
                self.busy_since = Some(Instant::now());
                self.progress.waiting(&error, LINGERING_DELAY);
            }
        }
        tokio::time::sleep(LINGERING_DELAY).await;
        Ok(())
    }
}
