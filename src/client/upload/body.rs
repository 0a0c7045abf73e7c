//! Body of an upload request: streams sealed segments in large frames.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::progress::SentCounter;
use crate::client::throttle::{PacedSender, Throttle};

/// Size of a body frame, in bytes: 64 KiB frames would reduce the throughput to a quarter.
const FRAME_BYTES: usize = 256 * 1024;

/// Counts the bytes of a request passed to its connection; stops while the connection is stalled.
#[derive(Debug, Default)]
pub(super) struct ByteCounter(AtomicU64);

impl ByteCounter {
    /// Returns the number of bytes passed on so far.
    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Request body of known length that receives groups of segments from a channel.
pub(super) struct PayloadBody {
    groups: mpsc::Receiver<Vec<Bytes>>,
    /// The current group, last segment first.
    group: Vec<Bytes>,
    segment: Bytes,
    remaining: u64,
    counter: Arc<ByteCounter>,
    sent_counter: Arc<SentCounter>,
    /// Schedule of the bytes under a limit on their rate.
    pacing: Option<PacedSender>,
}

/// The channel closed before the body was complete. The sealing task reports the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload could not be sealed to its end")]
pub(super) struct IncompleteBody;

impl PayloadBody {
    /// Creates a body of `length` bytes, received through `groups`.
    pub(super) fn new(
        groups: mpsc::Receiver<Vec<Bytes>>,
        length: u64,
        counter: Arc<ByteCounter>,
        sent_counter: Arc<SentCounter>,
        throttle: Option<Throttle>,
    ) -> Self {
        let pacing = throttle.map(PacedSender::new);
        Self { groups, group: Vec::new(), segment: Bytes::new(), remaining: length, counter, sent_counter, pacing }
    }

    /// Returns the number of bytes that a frame can have now.
    fn available(&self) -> usize {
        FRAME_BYTES.min(self.segment.len()).min(usize::try_from(self.remaining).unwrap_or(FRAME_BYTES))
    }

    fn next_piece(&mut self, length: usize) -> Bytes {
        let piece = self.segment.split_to(length);
        self.remaining -= length as u64;
        self.counter.0.fetch_add(length as u64, Ordering::Relaxed);
        self.sent_counter.add(length as u64);
        piece
    }
}

impl Body for PayloadBody {
    type Data = Bytes;
    type Error = IncompleteBody;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, IncompleteBody>>> {
        let this = self.get_mut();
        if this.remaining == 0 {
            return Poll::Ready(None);
        }
        while this.segment.is_empty() {
            if let Some(segment) = this.group.pop() {
                this.segment = segment;
                continue;
            }
            let Some(mut group) = ready!(this.groups.poll_recv(cx)) else {
                return Poll::Ready(Some(Err(IncompleteBody)));
            };
            group.reverse();
            this.group = group;
        }
        let available = this.available();
        let length = match &mut this.pacing {
            Some(pacing) => ready!(pacing.poll_turn(available, cx)),
            None => available,
        };
        Poll::Ready(Some(Ok(Frame::data(this.next_piece(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::client::NoProgress;
    use crate::domain::limits::ByteRate;

    fn body(groups: Vec<Vec<Bytes>>, length: u64) -> PayloadBody {
        paced_body(groups, length, None)
    }

    fn paced_body(groups: Vec<Vec<Bytes>>, length: u64, throttle: Option<Throttle>) -> PayloadBody {
        let (sender, receiver) = mpsc::channel(groups.len().max(1));
        for group in groups {
            sender.try_send(group).unwrap();
        }
        PayloadBody::new(receiver, length, Arc::default(), Arc::new(SentCounter::new(Arc::new(NoProgress))), throttle)
    }

    #[tokio::test]
    async fn the_size_hint_is_exact_after_every_frame() {
        let segment = Bytes::from(vec![7; 600_000]);
        let mut body = body(vec![vec![segment.clone(), segment], vec![Bytes::from_static(b"end")]], 1_200_003);
        let mut remaining = 1_200_003;
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(!piece.is_empty() && piece.len() <= FRAME_BYTES);
            remaining -= piece.len() as u64;
            assert_eq!(body.size_hint().exact(), Some(remaining));
            assert_eq!(body.is_end_stream(), remaining == 0);
        }
        assert_eq!((remaining, body.counter.read()), (0, 1_200_003));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limited_body_takes_its_time() {
        let started = tokio::time::Instant::now();
        let throttle = Throttle::new(ByteRate::new(100_000).unwrap());
        let segment = Bytes::from(vec![7; 1_000_000]);
        let body = paced_body(vec![vec![segment.clone(), segment]], 2_000_000, Some(throttle));
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 2_000_000);
        let elapsed = started.elapsed().as_secs_f64();
        assert!((19.4..20.6).contains(&elapsed), "{elapsed} s instead of 20 s");
    }

    #[tokio::test]
    async fn segments_that_end_early_are_an_error() {
        let outcome = body(vec![vec![Bytes::from_static(b"abc")]], 4).collect().await;
        assert_eq!(outcome.unwrap_err(), IncompleteBody);
    }
}
