//! Upload requests. Each sends a range of the payload as its body, which is sealed on the way.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Body;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::UploadError;
use super::body::{ByteCounter, PayloadBody};
use super::completion::Completion;
use super::journal::Journal;
use super::pipeline::produce;
use super::progress::SentCounter;
use super::segments::Segments;
use crate::client::throttle::Throttle;
use crate::client::{ClientError, Destination};
use crate::domain::wire::CompleteUpload;

/// Interval between checks for a stalled connection.
const STALL_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Payload whose ranges can be sent in any order, in parallel and repeatedly.
#[derive(Clone)]
pub(super) struct UploadPayload {
    pub segments: Arc<Segments>,
    pub journal: Arc<Journal>,
    pub sent_counter: Arc<SentCounter>,
    /// Body of the completion: each time the same.
    pub completion: Arc<Completion>,
    /// Whether any byte may have arrived at the server; then another process can resume.
    pub may_have_arrived: Arc<AtomicBool>,
}

/// Parameters of one upload request.
pub(super) struct RequestParameters {
    /// Byte range of the payload.
    pub range: Range<u64>,
    /// Number of segments sealed ahead. The memory of the request also holds the segments being recorded, queued and
    /// sent.
    pub ahead: usize,
    /// Server that receives the request.
    pub destination: Destination,
    /// Idle timeout of the connection.
    pub stall: Duration,
    /// Limit on the rate of payload bytes.
    pub throttle: Option<Throttle>,
}

/// Result of one upload request.
pub(super) struct RequestOutcome<T> {
    /// The response, or a local error, which takes precedence because it explains a broken request.
    pub outcome: Result<T, UploadError>,
    /// Number of bytes passed to the connection.
    pub sent_bytes: u64,
    /// Time from the start until the last byte was passed on.
    pub sending_time: Duration,
}

impl UploadPayload {
    /// Returns the encrypted size of the payload, in bytes.
    pub(super) fn size(&self) -> u64 {
        self.segments.layout().sealed_size()
    }

    /// Returns the body of the completion. Call it when all segments are sealed.
    pub(super) async fn completion(&self) -> Result<CompleteUpload, UploadError> {
        self.completion.body(&self.segments).await
    }

    /// Sends a range of the payload as the body of the request that `request` builds.
    pub(super) async fn send<T, F>(
        &self,
        parameters: RequestParameters,
        request: impl FnOnce(Body) -> F,
    ) -> RequestOutcome<T>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let RequestParameters { range, ahead, destination, stall, throttle } = parameters;
        let (sender, groups) = mpsc::channel(1);
        let counter = Arc::<ByteCounter>::default();
        let (length, sent_counter) = (range.end - range.start, self.sent_counter.clone());
        let body = PayloadBody::new(groups, length, counter.clone(), sent_counter, throttle);

        // Shared, so that the producer's error survives if the request ends first.
        let producer_error = Arc::new(Mutex::new(None));
        let mut producer = JoinSet::new();
        producer.spawn({
            let (producer_error, segments, journal) =
                (producer_error.clone(), self.segments.clone(), self.journal.clone());
            async move {
                // A second sender keeps the channel open, and the body waiting, until the error is stored.
                let keep_open = sender.clone();
                if let Err(error) = produce(segments, journal, range, ahead, sender).await {
                    *producer_error.lock().expect("no thread panics while holding this lock") = Some(error);
                }
                drop(keep_open);
            }
        });
        let started = Instant::now();
        let (response, last_move) = abort_if_stalled(stall, &destination, &counter, request(Body::wrap(body))).await;
        producer.shutdown().await;
        self.may_have_arrived.fetch_or(counter.read() > 0, Ordering::Relaxed);
        let local_error = producer_error.lock().expect("no thread panics while holding this lock").take();
        let outcome = local_error.map_or_else(|| response.map_err(UploadError::from), Err);
        RequestOutcome { outcome, sent_bytes: counter.read(), sending_time: last_move - started }
    }

    /// Checks that the server reports no more bytes than may have been sent. The tags of sent segments are recorded.
    pub(super) fn check_sent(&self, received: u64) -> Result<(), UploadError> {
        let sent = self.journal.recorded_bytes().min(self.size());
        if received > sent { Err(UploadError::TooManyBytes { received, sent }) } else { Ok(()) }
    }
}

/// Waits for a request while bytes move; returns its response and the time of the last movement.
async fn abort_if_stalled<T>(
    limit: Duration,
    destination: &Destination,
    counter: &ByteCounter,
    request: impl Future<Output = Result<T, ClientError>>,
) -> (Result<T, ClientError>, Instant) {
    let mut request = std::pin::pin!(request);
    let (mut last_count, mut last_move) = (counter.read(), Instant::now());
    loop {
        if let Ok(response) = tokio::time::timeout(STALL_CHECK_INTERVAL.min(limit), &mut request).await {
            return (response, last_move);
        }
        if counter.read() != last_count {
            (last_count, last_move) = (counter.read(), Instant::now());
        } else if last_move.elapsed() > limit {
            return (Err(ClientError::Timeout { destination: destination.clone() }), last_move);
        }
    }
}
