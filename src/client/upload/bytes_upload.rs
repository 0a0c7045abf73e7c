//! Uploads through the service. Sends one piece after another, and resumes at the server's offset after each failure.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::UploadError;
use super::pieces::{MIN_PIECE, PieceSize};
use super::request::{RequestParameters, UploadPayload};
use crate::client::{Api, ClientError, Progress, RetryPolicy};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::transfer::Status;
use crate::domain::wire::{CompletedTransfer, Received};

/// Maximum time that the server may keep the writer of a lost connection. The server releases the writer after 30 s of
/// silence.
const MAX_LINGER: Duration = Duration::from_secs(35);
/// Delay between checks whether the server has released a lost connection.
const LINGER_CHECK_DELAY: Duration = Duration::from_secs(2);
/// Number of segments sealed ahead.
const SEAL_AHEAD: usize = 2;

/// Bytes that must be acknowledged to restart the retry policy. A server that accepts one byte per request would
/// otherwise make the upload endless.
const MIN_PROGRESS: u64 = 256 * 1024;

/// Upload of one payload to one service.
pub(super) struct BytesUpload {
    api: Api,
    id: TransferId,
    address: String,
    payload: UploadPayload,
    retry: RetryPolicy,
    progress: Arc<dyn Progress>,
    /// Highest number of bytes that the server has acknowledged.
    acknowledged_bytes: u64,
    /// Acknowledged bytes at the last restart of the retry policy.
    last_restart: u64,
    /// Time since which the server reports another active writer.
    busy_since: Option<Instant>,
    piece_size: PieceSize,
    /// Size of the last piece in bytes.
    piece_bytes: u64,
}

impl BytesUpload {
    /// Prepares the upload of transfer `id` to `address`.
    pub(super) fn new(
        api: Api,
        id: TransferId,
        address: String,
        payload: UploadPayload,
        retry: RetryPolicy,
        progress: Arc<dyn Progress>,
    ) -> Self {
        Self {
            api,
            id,
            address,
            payload,
            retry,
            progress,
            acknowledged_bytes: 0,
            last_restart: 0,
            busy_since: None,
            piece_size: PieceSize::default(),
            piece_bytes: 0,
        }
    }

    /// Sends the bytes after the first `already` received bytes, and completes the upload.
    pub(super) async fn run(mut self, already: u64) -> Result<CompletedTransfer, UploadError> {
        let size = self.payload.size();
        self.payload.check_sent(already)?;
        (self.acknowledged_bytes, self.last_restart) = (already, already);
        let mut offset = already;
        loop {
            let outcome = if offset < size {
                self.send_from(offset).await.map(|received| received.received_bytes)
            } else {
                let with = self.payload.completion().await?;
                match self.api.complete(self.id, &with).await {
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

    /// Sends the piece that starts at `offset`.
    async fn send_from(&mut self, offset: u64) -> Result<Received, UploadError> {
        self.payload.sent_counter.set(offset);
        let range = self.piece_size.range(offset, self.payload.size());
        self.piece_bytes = range.end - offset;
        let dispatch = RequestParameters {
            range: range.clone(),
            ahead: SEAL_AHEAD,
            destination: self.api.destination().clone(),
            stall: self.retry.idle_timeout(),
            throttle: self.api.throttle().cloned(),
        };
        let request = |body| self.api.upload_bytes(&self.address, offset, body);
        let result = self.payload.send(dispatch, request).await;
        self.retry.exclude(result.sending_time);
        if result.outcome.as_ref().is_ok_and(|received| received.received_bytes == range.end) {
            self.piece_size.arrived(result.sending_time);
        }
        result.outcome
    }

    /// Checks the number of bytes that the server has received, and returns it as the next offset.
    async fn acknowledged(&mut self, received: u64) -> Result<u64, UploadError> {
        self.payload.check_sent(received)?;
        self.busy_since = None;
        self.acknowledged_bytes = self.acknowledged_bytes.max(received);
        let whole = self.acknowledged_bytes == self.payload.size();
        if self.acknowledged_bytes >= self.last_restart + MIN_PROGRESS
            || (whole && self.acknowledged_bytes > self.last_restart)
        {
            self.last_restart = self.acknowledged_bytes;
            self.retry.reset();
        } else {
            // A server may lose bytes that were not durable, and accept few at a time, but within the time limit only.
            let incomplete = ClientError::Incomplete { destination: self.api.destination().clone() };
            self.retry.wait_after(incomplete, &*self.progress).await?;
        }
        Ok(received)
    }

    /// Asks the server for the offset to resume at after `error`; fails if the upload cannot be resumed.
    async fn recover(&mut self, mut error: ClientError) -> Result<u64, UploadError> {
        if error.is_body_limit_of_proxy() {
            let origin = self.api.origin().clone();
            if !self.piece_size.shrink_below(self.piece_bytes) {
                return Err(UploadError::PieceTooLarge { origin, piece_bytes: MIN_PIECE });
            }
            self.progress.step(format_args!("a proxy in front of {origin} refused {} bytes", self.piece_bytes));
            return Ok(self.acknowledged_bytes);
        }
        let is_piece_lost = error.is_transient();
        loop {
            match (error.code(), &error) {
                (Some(ErrorCode::OffsetMismatch | ErrorCode::UploadIncomplete), ClientError::Api(api_error)) => {
                    if let Some(received) = api_error.received_bytes {
                        return self.acknowledged(received).await;
                    }
                    self.retry.wait_after(error, &*self.progress).await?;
                }
                (Some(ErrorCode::UploadInProgress), _) => self.wait_for_writer(error).await?,
                _ if error.is_transient() => self.retry.wait_after(error, &*self.progress).await?,
                _ => return Err(error.into()),
            }
            // Also after a failed write: its response may be lost, but the status has the same information.
            match self.api.upload_status(self.id).await {
                Ok(state) if state.status == Status::Completed => {
                    let size = self.payload.size();
                    return self.payload.check_sent(size).map(|()| size);
                }
                Ok(state) if state.received_bytes > self.acknowledged_bytes => {
                    return self.acknowledged(state.received_bytes).await;
                }
                // No new bytes; the wait above was counted.
                Ok(state) => {
                    if is_piece_lost {
                        self.piece_size.record_loss(self.piece_bytes);
                    }
                    return Ok(state.received_bytes);
                }
                Err(next) => error = next,
            }
        }
    }

    /// Waits while the server still holds the writer of a lost connection.
    async fn wait_for_writer(&mut self, error: ClientError) -> Result<(), ClientError> {
        match self.busy_since {
            Some(since) if since.elapsed() > MAX_LINGER => return Err(error),
            Some(_) => {}
            None => {
                self.busy_since = Some(Instant::now());
                self.progress.waiting(&error, LINGER_CHECK_DELAY);
            }
        }
        tokio::time::sleep(LINGER_CHECK_DELAY).await;
        Ok(())
    }
}
