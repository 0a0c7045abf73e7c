//! Fetching from the payload store: ranges side by side, handed on in their order.

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
use crate::client::buffers::Buffers;
use crate::client::http::content_range::ContentRange;
use crate::client::store::{SignedUrl, Store};
use crate::client::{Api, ClientError, Progress, RetryPolicy, StoreError};
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::transfer::Status;

/// Bytes in one request.
pub(super) const RANGE: u64 = 2 << 20;
/// Bytes that are handed on at once.
const PIECE: usize = 256 << 10;
/// How many requests run at once. What they bring waits in memory until its turn comes.
const AT_ONCE: usize = 4;
/// How often in a row a store that was there before may be out of reach before another way is taken.
const MOST_MISSES: u32 = 3;

const CALL: &str = "download/create-presign-url";

/// A payload to be fetched from its store.
pub(super) struct Ranges {
    pub api: Api,
    pub id: TransferId,
    pub grant: Grant,
    pub proof: Option<AccessProof>,
    pub size: u64,
    /// Whether to give up when the store is out of reach, since there is another way.
    pub give_up: bool,
    pub patience: RetryPolicy,
    pub progress: Arc<dyn Progress>,
    pub store: Store,
    pub url: Mutex<Current>,
    /// Whether the store has ever answered.
    pub touched: AtomicBool,
    pub buffers: Buffers,
}

/// The URL in use.
#[derive(Clone)]
pub(super) struct Current {
    url: SignedUrl,
    /// How many there were before it.
    number: u32,
}

impl Current {
    /// Takes the first URL.
    pub(super) fn first(store: &Store, url: &str) -> Result<Self, ClientError> {
        Ok(Self { url: store.url(url, CALL)?, number: 0 })
    }
}

impl Ranges {
    /// Fetches everything from `offset` on into `pieces`, and moves `offset` with every piece that was handed on.
    pub(super) async fn run(self, offset: &mut u64, pieces: &mpsc::Sender<Bytes>) -> Result<(), FetchError> {
        let this = Arc::new(self);
        let begin = *offset;
        let starts = (0..(this.size - begin).div_ceil(RANGE)).map(move |number| begin + number * RANGE);
        let fetch = |start: u64| {
            let this = this.clone();
            // A task of its own, so that it goes on while what came before is written.
            AbortOnDropHandle::new(tokio::spawn(async move { this.fetch(start..(start + RANGE).min(this.size)).await }))
        };
        let mut ranges = stream::iter(starts).map(fetch).buffered(AT_ONCE);
        while let Some(range) = ranges.next().await {
            let mut range = range.expect("fetching does not panic")?;
            while !range.is_empty() {
                let piece = range.split_to(PIECE.min(range.len()));
                *offset += piece.len() as u64;
                // What goes on behind its end is told by who opens it.
                pieces.send(piece).await.map_err(|_| FetchError::NotWanted)?;
                this.progress.moved_to((*offset).min(this.size));
            }
        }
        Ok(())
    }

    /// Fetches one range, over as many connections as it takes.
    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, FetchError> {
        let mut patience = self.patience.anew();
        let mut got = Got { bytes: self.buffers.take(), start: range.start, end: range.end };
        let (mut misses, mut is_fresh) = (0, false);
        while got.next() < got.end {
            let current = self.url.lock().await.clone();
            let before = got.next();
            let outcome = self.fetch_some(&current.url, &mut got, patience.stall()).await;
            if got.next() > before {
                patience.progressed();
            }
            let error = match outcome {
                // The body was shorter than announced, which hyper reports, or announced shorter than it is.
                Ok(()) if got.next() < got.end => ClientError::CutShort { origin: current.url.origin().clone() },
                Err(FetchError::Client(error)) => error,
                outcome => {
                    outcome?;
                    continue;
                }
            };
            let was_fresh = std::mem::take(&mut is_fresh);
            match error.store_status() {
                Some(403) if !was_fresh => {
                    self.renew(current.number, &mut patience).await?;
                    is_fresh = true;
                    continue;
                }
                Some(404) => return Err(self.absent(error).await),
                _ => {}
            }
            misses = if error.is_store_out_of_reach() { misses + 1 } else { 0 };
            let was_never_there = !self.touched.load(Ordering::Relaxed);
            let gives_up = self.give_up && misses > 0 && (was_never_there || misses >= MOST_MISSES);
            if gives_up || !error.is_transient() {
                return Err(error.into());
            }
            patience.wait_after(error, &*self.progress).await?;
        }
        Ok(self.buffers.freeze(got.bytes))
    }

    /// Fetches in one request.
    async fn fetch_some(&self, url: &SignedUrl, got: &mut Got, stall: Duration) -> Result<(), FetchError> {
        let stalled = |moved| {
            let timeout = ClientError::Timeout { origin: url.origin().clone() };
            ClientError::from(StoreError::stalled(timeout, moved))
        };
        let wanted = got.next()..got.end;
        let is_whole = self.is_whole(&wanted);
        let response = tokio::time::timeout(stall, url.get((!is_whole).then(|| wanted.clone())));
        let response = response.await.map_err(|_| stalled(false))?;
        if response.is_ok() || response.as_ref().is_err_and(|error| error.store_status().is_some()) {
            self.touched.store(true, Ordering::Relaxed);
        }
        let mut response = response?;
        if !self.brings(&response, &wanted) {
            return Err(FetchError::OtherRange);
        }
        loop {
            let chunk = tokio::time::timeout(stall, response.chunk()).await.map_err(|_| stalled(true))?;
            let Some(piece) = chunk.map_err(|error| url.lost(error))? else { return Ok(()) };
            got.bytes.extend_from_slice(&piece);
            if got.next() > got.end && !is_whole {
                return Err(FetchError::OtherRange);
            }
            // A store that keeps its connection open is not waited for.
            if got.next() >= got.end {
                return Ok(());
            }
        }
    }

    /// Whether a response brings what is wanted.
    fn brings(&self, response: &Response, wanted: &Range<u64>) -> bool {
        if self.is_whole(wanted) {
            return response.status() == StatusCode::OK;
        }
        let range = ContentRange::of(response);
        range.is_some_and(|range| range.start == wanted.start && range.total.is_none_or(|total| total == self.size))
    }

    fn is_whole(&self, wanted: &Range<u64>) -> bool {
        *wanted == (0..self.size)
    }

    /// Asks for a fresh URL, unless another range has. That counts no download.
    async fn renew(&self, refused: u32, patience: &mut RetryPolicy) -> Result<(), FetchError> {
        let mut current = self.url.lock().await;
        if current.number == refused {
            let ask = || self.api.begin_download(self.id, &self.grant, self.proof.as_ref());
            let answer = patience.call(&*self.progress, ask).await?;
            *current = Current { url: self.store.url(&answer.url, CALL)?, number: refused + 1 };
        }
        Ok(())
    }

    /// Why the store does not have the payload: only the service knows.
    async fn absent(&self, error: ClientError) -> FetchError {
        match self.api.status(self.id).await {
            Ok(status) if matches!(status.status, Status::Expired | Status::Deleted) => FetchError::Gone(status.status),
            Err(unknown) if unknown.code() == Some(ErrorCode::TransferNotFound) => unknown.into(),
            _ => error.into(),
        }
    }
}

/// What has come of a range.
struct Got {
    bytes: Vec<u8>,
    /// Where in the payload they begin.
    start: u64,
    end: u64,
}

impl Got {
    /// Where to go on.
    const fn next(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}
