//! Downloads from the payload store: parallel range requests, passed on in order.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use reqwest::Response;
use tokio::sync::{Mutex, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::fetch::FetchError;
use super::wanted::WantedRanges;
use crate::client::buffers::BufferPool;
use crate::client::http::content_range::ContentRange;
use crate::client::store::{SignedUrl, StoreClient};
use crate::client::{Api, BucketError, ClientError, Progress, RetryPolicy};
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::transfer::Status;

/// Usual size of a range request, in bytes.
pub(super) const RANGE: u64 = 2 << 20;
/// Size of a piece passed on for decryption, in bytes.
const PIECE: usize = 256 << 10;
/// Maximum number of parallel requests. A downloaded range waits in memory until all earlier ranges are passed on.
const MAX_PARALLEL: usize = 4;
/// Consecutive failures of a range before the fallback to the service.
///
/// They are connection failures after earlier success, and refusals that may pass, such as status 502 of a proxy.
const MAX_MISSES: u32 = 3;

const CALL: &str = "download/create-presign-url";

/// Download of one payload from its store.
pub(super) struct Ranges {
    pub api: Api,
    pub id: TransferId,
    pub grant: Grant,
    pub proof: Option<AccessProof>,
    pub size: u64,
    /// Size of a range request in bytes.
    pub step: u64,
    /// Whether to fail fast if the store cannot be used, because the service can deliver the payload.
    pub fail_fast: bool,
    pub retry: RetryPolicy,
    pub progress: Arc<dyn Progress>,
    pub store: StoreClient,
    pub url: Arc<Mutex<CurrentUrl>>,
    /// Whether the store has ever responded.
    pub contacted: AtomicBool,
    pub buffers: BufferPool,
}

/// Presigned URL in use.
#[derive(Clone)]
pub(super) struct CurrentUrl {
    url: SignedUrl,
    /// Number of URLs before this URL.
    number: u32,
}

impl CurrentUrl {
    /// Validates the first URL.
    pub(super) fn first(store: &StoreClient, url: &str) -> Result<Self, ClientError> {
        Ok(Self { url: store.url(url, CALL)?, number: 0 })
    }
}

impl Ranges {
    /// Downloads the wanted ranges into `pieces`. Advances `wanted` with every piece passed on.
    pub(super) async fn run(self, wanted: &mut WantedRanges, pieces: &mpsc::Sender<Bytes>) -> Result<(), FetchError> {
        let this = Arc::new(self);
        let start_download = |range: Range<u64>| {
            let this = this.clone();
            // A task of its own, so that requests continue while earlier ranges are written.
            AbortOnDropHandle::new(tokio::spawn(async move { this.download_range(range).await }))
        };
        let parallel = this.api.throttle().map_or(MAX_PARALLEL, |throttle| throttle.connections(MAX_PARALLEL));
        let mut ranges = stream::iter(wanted.parts(this.step)).map(start_download).buffered(parallel);
        while let Some(range) = ranges.next().await {
            let mut range = range.expect("a range request does not panic")?;
            while !range.is_empty() {
                let piece = range.split_to(PIECE.min(range.len()));
                wanted.advance(piece.len() as u64);
                // The decrypter reports bytes beyond the end of the payload.
                pieces.send(piece).await.map_err(|_| FetchError::ReceiverClosed)?;
                this.progress.transferred(wanted.progress());
            }
        }
        Ok(())
    }

    /// Downloads one range, with retries.
    async fn download_range(&self, range: Range<u64>) -> Result<Bytes, FetchError> {
        let mut retry = self.retry.renewed();
        let mut buffer = RangeBuffer { bytes: self.buffers.take(), start: range.start, end: range.end };
        let (mut misses, mut is_fresh) = (0, false);
        while buffer.next() < buffer.end {
            let current = self.url.lock().await.clone();
            let before = buffer.next();
            let outcome = self.fetch_some(&current.url, &mut buffer, retry.idle_timeout()).await;
            if buffer.next() > before {
                retry.reset();
            }
            let error = match outcome {
                // Either hyper found the body shorter than its announced length, or the announced length is too short.
                Ok(()) if buffer.next() < buffer.end => {
                    ClientError::Incomplete { destination: current.url.destination().clone() }
                }
                Err(FetchError::Client(error)) => error,
                outcome => {
                    outcome?;
                    continue;
                }
            };
            let was_fresh = std::mem::take(&mut is_fresh);
            match error.store_status() {
                Some(403) if !was_fresh => {
                    self.renew(current.number, &mut retry).await?;
                    is_fresh = true;
                    continue;
                }
                Some(404) if !(self.fail_fast && error.is_store_refusing()) => {
                    return Err(self.missing_payload(error).await);
                }
                _ => {}
            }
            let is_unreachable = error.is_store_unreachable();
            misses = if is_unreachable || error.is_store_refusing() { misses + 1 } else { 0 };
            let never_contacted = !self.contacted.load(Ordering::Relaxed);
            let gives_up = self.fail_fast && ((is_unreachable && never_contacted) || misses >= MAX_MISSES);
            if gives_up || !error.is_transient() {
                return Err(error.into());
            }
            retry.wait_after(error, &*self.progress).await?;
        }
        Ok(self.buffers.freeze(buffer.bytes))
    }

    /// Downloads the rest of a range in one request.
    async fn fetch_some(&self, url: &SignedUrl, buffer: &mut RangeBuffer, stall: Duration) -> Result<(), FetchError> {
        let stalled = |has_sent| {
            let timeout = ClientError::Timeout { destination: url.destination().clone() };
            ClientError::from(BucketError::stalled(timeout, has_sent))
        };
        let requested = buffer.next()..buffer.end;
        let is_complete = self.is_complete(&requested);
        let response = tokio::time::timeout(stall, url.get((!is_complete).then(|| requested.clone())));
        let response = response.await.map_err(|_| stalled(false))?;
        if response.is_ok() || response.as_ref().is_err_and(|error| error.store_status().is_some()) {
            self.contacted.store(true, Ordering::Relaxed);
        }
        let mut response = response?;
        if !self.has_range(&response, &requested) {
            return Err(FetchError::WrongRange);
        }
        loop {
            let chunk = tokio::time::timeout(stall, response.chunk()).await.map_err(|_| stalled(true))?;
            let Some(piece) = chunk.map_err(|error| url.lost(error))? else { return Ok(()) };
            buffer.bytes.extend_from_slice(&piece);
            if let Some(throttle) = self.api.throttle() {
                throttle.received(piece.len()).await;
            }
            if buffer.next() > buffer.end && !is_complete {
                return Err(FetchError::WrongRange);
            }
            // Does not wait for the store to close the connection.
            if buffer.next() >= buffer.end {
                return Ok(());
            }
        }
    }

    /// Returns whether the response has the requested range.
    fn has_range(&self, response: &Response, requested: &Range<u64>) -> bool {
        if self.is_complete(requested) {
            return response.status() == StatusCode::OK;
        }
        let range = ContentRange::of(response);
        range.is_some_and(|range| range.start == requested.start && range.total.is_none_or(|total| total == self.size))
    }

    fn is_complete(&self, requested: &Range<u64>) -> bool {
        *requested == (0..self.size)
    }

    /// Requests a new URL, unless another range has done so already. Counts no download.
    async fn renew(&self, rejected: u32, retry: &mut RetryPolicy) -> Result<(), FetchError> {
        let mut current = self.url.lock().await;
        if current.number == rejected {
            let ask = || self.api.begin_download(self.id, &self.grant, self.proof.as_ref());
            let response = retry.call(&*self.progress, ask).await?;
            *current = CurrentUrl { url: self.store.url(&response.url, CALL)?, number: rejected + 1 };
        }
        Ok(())
    }

    /// Asks the service why the store does not have the payload.
    async fn missing_payload(&self, error: ClientError) -> FetchError {
        match self.api.status(self.id, None).await.map(|status| status.state()) {
            Ok(state @ (Status::Expired | Status::Deleted | Status::Closed)) => FetchError::Gone(state),
            Err(unknown) if unknown.code() == Some(ErrorCode::TransferNotFound) => unknown.into(),
            _ => error.into(),
        }
    }
}

/// Received bytes of a range.
struct RangeBuffer {
    bytes: Vec<u8>,
    /// Position of the first byte in the payload.
    start: u64,
    end: u64,
}

impl RangeBuffer {
    /// Returns the position of the next missing byte in the payload.
    const fn next(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}
