//! Delivery: a range of the payload goes out as the body of one request, sealed as it goes.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Body;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::UploadError;
use super::body::{Meter, PayloadBody};
use super::journal::Ledger;
use super::pipeline::produce;
use super::progress::Through;
use super::segments::Segments;
use crate::client::{ClientError, Origin};

/// How often to look whether bytes move.
const LOOK: Duration = Duration::from_secs(1);

/// A payload that can be sent, in ranges, several at once and any of them again.
#[derive(Clone)]
pub(super) struct Payload {
    pub segments: Arc<Segments>,
    pub ledger: Arc<Ledger>,
    pub through: Arc<Through>,
    /// Whether any of it may have arrived.
    pub has_moved: Arc<AtomicBool>,
}

/// How a range is to be sent.
pub(super) struct Dispatch {
    /// Which bytes of the payload.
    pub range: Range<u64>,
    /// How many segments are sealed ahead. With those being recorded, waiting and being sent it bounds what is in memory.
    pub ahead: usize,
    /// Where to.
    pub origin: Origin,
    /// How long the connection may stand still.
    pub stall: Duration,
}

/// How a request went.
pub(super) struct Delivery<T> {
    /// The answer; a local fault where there was one, since that explains a broken request.
    pub outcome: Result<T, UploadError>,
    /// How many bytes were handed to the connection.
    pub moved: u64,
    /// How long they moved.
    pub moving: Duration,
}

impl Payload {
    /// Bytes in the payload.
    pub(super) fn size(&self) -> u64 {
        self.segments.layout().sealed_size()
    }

    /// Sends a range in the request that `request` makes of it.
    pub(super) async fn send<T, F>(&self, dispatch: Dispatch, request: impl FnOnce(Body) -> F) -> Delivery<T>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let Dispatch { range, ahead, origin, stall } = dispatch;
        let (sender, groups) = mpsc::channel(1);
        let meter = Arc::<Meter>::default();
        let body = PayloadBody::new(groups, range.end - range.start, meter.clone(), self.through.clone());

        // Kept where it is found even if the request ends first.
        let verdict = Arc::new(Mutex::new(None));
        let mut producer = JoinSet::new();
        producer.spawn({
            let (verdict, segments, ledger) = (verdict.clone(), self.segments.clone(), self.ledger.clone());
            async move {
                // A second sender keeps the body waiting until the verdict is there.
                let alive = sender.clone();
                if let Err(error) = produce(segments, ledger, range, ahead, sender).await {
                    *verdict.lock().expect("nothing panics while it holds this lock") = Some(error);
                }
                drop(alive);
            }
        });
        let started = Instant::now();
        let (answer, last_move) = unless_stalled(stall, &origin, &meter, request(Body::wrap(body))).await;
        producer.shutdown().await;
        self.has_moved.fetch_or(meter.read() > 0, Ordering::Relaxed);
        let local = verdict.lock().expect("nothing panics while it holds this lock").take();
        let outcome = local.map_or_else(|| answer.map_err(UploadError::from), Err);
        Delivery { outcome, moved: meter.read(), moving: last_move - started }
    }

    /// Checks that `received` bytes may have been sent: only those whose tags are recorded may.
    pub(super) fn check_sent(&self, received: u64) -> Result<(), UploadError> {
        let sent = self.ledger.recorded_bytes().min(self.size());
        if received > sent { Err(UploadError::TooManyBytes { received, sent }) } else { Ok(()) }
    }
}

/// Waits for a request as long as bytes move, and tells when they did so last.
async fn unless_stalled<T>(
    limit: Duration,
    origin: &Origin,
    meter: &Meter,
    request: impl Future<Output = Result<T, ClientError>>,
) -> (Result<T, ClientError>, Instant) {
    let mut request = std::pin::pin!(request);
    let (mut reading, mut since) = (meter.read(), Instant::now());
    loop {
        if let Ok(answer) = tokio::time::timeout(LOOK.min(limit), &mut request).await {
            return (answer, since);
        }
        if meter.read() != reading {
            (reading, since) = (meter.read(), Instant::now());
        } else if since.elapsed() > limit {
            return (Err(ClientError::Timeout { origin: origin.clone() }), since);
        }
    }
}
