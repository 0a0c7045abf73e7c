//! Sending: the payload goes out, and goes on where it stopped, until the server has it whole.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::UploadError;
use super::body::{Meter, PayloadBody};
use super::ledger::Ledger;
use super::pipeline::produce;
use super::segments::Segments;
use crate::client::{Api, ClientError, Patience, Progress};
use crate::domain::error::ErrorCode;
use crate::domain::id::TransferId;
use crate::domain::transfer::Status;
use crate::domain::wire::{CompletedTransfer, Received};

/// How long a server may hold a broken connection for the writer; it lets go after 30 s of silence.
const LINGERING: Duration = Duration::from_secs(35);
/// How often to look whether a lingering connection is gone.
const LINGERING_DELAY: Duration = Duration::from_secs(2);
/// How often to look whether bytes move.
const LOOK: Duration = Duration::from_secs(1);

/// How many bytes must arrive for patience to begin anew: a server that takes a byte a request is not to be sent all.
const REAL_PROGRESS: u64 = 256 * 1024;

/// One payload on its way to one server.
pub(super) struct Sending {
    pub api: Api,
    pub id: TransferId,
    pub address: String,
    pub segments: Arc<Segments>,
    pub ledger: Arc<Mutex<Ledger>>,
    pub patience: Patience,
    pub progress: Arc<dyn Progress>,
    /// The most bytes that the server has acknowledged.
    pub furthest: u64,
    /// How many of them there were when patience last began anew.
    pub rewarded: u64,
    /// Since when the server has taken this payload's writer for busy.
    pub busy_since: Option<Instant>,
}

impl Sending {
    /// Sends what is missing and completes the upload.
    pub(super) async fn run(mut self) -> Result<CompletedTransfer, UploadError> {
        let size = self.segments.layout().sealed_size();
        let mut offset = 0;
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
        let (sender, groups) = mpsc::channel(1);
        let meter = Arc::<Meter>::default();
        let end = self.segments.layout().sealed_size();
        let body = PayloadBody::new(groups, offset, end, meter.clone(), self.progress.clone());

        // Kept where it is found even if the request ends first: a local fault explains a broken request.
        let verdict = Arc::new(Mutex::new(None));
        let mut producer = JoinSet::new();
        producer.spawn({
            let (verdict, segments, ledger) = (verdict.clone(), self.segments.clone(), self.ledger.clone());
            async move {
                // A second sender keeps the body waiting until the verdict is there.
                let alive = sender.clone();
                if let Err(error) = produce(segments, ledger, offset, sender).await {
                    *verdict.lock().expect("nothing panics while it holds this lock") = Some(error);
                }
                drop(alive);
            }
        });
        let request = self.api.upload_bytes(&self.address, offset, reqwest::Body::wrap(body));
        let started = Instant::now();
        let (answer, last_move) = self.unless_stalled(&meter, request).await;
        self.patience.was_moving(last_move - started);
        producer.shutdown().await;
        match (verdict.lock().expect("nothing panics while it holds this lock").take(), answer) {
            (Some(local), _) => Err(local),
            (None, answer) => Ok(answer?),
        }
    }

    /// Waits for a request as long as bytes move, and tells when they did so last.
    async fn unless_stalled<T>(
        &self,
        meter: &Meter,
        request: impl Future<Output = Result<T, ClientError>>,
    ) -> (Result<T, ClientError>, Instant) {
        let limit = self.patience.stall();
        let mut request = std::pin::pin!(request);
        let (mut reading, mut since) = (meter.read(), Instant::now());
        loop {
            if let Ok(answer) = tokio::time::timeout(LOOK.min(limit), &mut request).await {
                return (answer, since);
            }
            if meter.read() != reading {
                (reading, since) = (meter.read(), Instant::now());
            } else if since.elapsed() > limit {
                return (Err(ClientError::Timeout { origin: self.api.origin().clone() }), since);
            }
        }
    }

    /// Goes on behind what the server says that it has.
    async fn acknowledged(&mut self, received: u64) -> Result<u64, UploadError> {
        self.check_sent(received)?;
        self.busy_since = None;
        self.furthest = self.furthest.max(received);
        let whole = self.furthest == self.segments.layout().sealed_size();
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

    /// Checks that `received` bytes may have been sent: only those whose tags are recorded may.
    fn check_sent(&self, received: u64) -> Result<(), UploadError> {
        let recorded = self.ledger.lock().expect("nothing panics while it holds this lock").recorded_bytes();
        let sent = recorded.min(self.segments.layout().sealed_size());
        if received > sent { Err(UploadError::TooManyBytes { received, sent }) } else { Ok(()) }
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
                    let size = self.segments.layout().sealed_size();
                    return self.check_sent(size).map(|()| size);
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
