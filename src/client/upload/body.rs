//! The body of an upload request: sealed segments, in pieces that sockets like.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::progress::Through;

/// How many bytes are handed to the connection at once: writes of 64 KiB run at a quarter of the rate of larger ones.
const FRAME_BYTES: usize = 256 * 1024;

/// How many bytes of a request were handed to its connection: stands still when the connection does.
#[derive(Debug, Default)]
pub(super) struct Meter(AtomicU64);

impl Meter {
    /// The reading.
    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is sent: a known number of bytes that arrive in groups of segments.
pub(super) struct PayloadBody {
    groups: mpsc::Receiver<Vec<Bytes>>,
    /// The group that is being sent, last segment first.
    group: Vec<Bytes>,
    segment: Bytes,
    remaining: u64,
    meter: Arc<Meter>,
    through: Arc<Through>,
}

/// The segments ended early; whoever seals them knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload could not be sealed to its end")]
pub(super) struct CutShort;

impl PayloadBody {
    /// A body of `length` bytes, which come through `groups`.
    pub(super) fn new(
        groups: mpsc::Receiver<Vec<Bytes>>,
        length: u64,
        meter: Arc<Meter>,
        through: Arc<Through>,
    ) -> Self {
        Self { groups, group: Vec::new(), segment: Bytes::new(), remaining: length, meter, through }
    }

    fn next_piece(&mut self) -> Bytes {
        let length = FRAME_BYTES.min(self.segment.len()).min(usize::try_from(self.remaining).unwrap_or(FRAME_BYTES));
        let piece = self.segment.split_to(length);
        self.remaining -= length as u64;
        self.meter.0.fetch_add(length as u64, Ordering::Relaxed);
        self.through.moved(length as u64);
        piece
    }
}

impl Body for PayloadBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
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
                return Poll::Ready(Some(Err(CutShort)));
            };
            group.reverse();
            this.group = group;
        }
        Poll::Ready(Some(Ok(Frame::data(this.next_piece()))))
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
    use crate::client::Silent;

    fn body(groups: Vec<Vec<Bytes>>, length: u64) -> PayloadBody {
        let (sender, receiver) = mpsc::channel(groups.len().max(1));
        for group in groups {
            sender.try_send(group).unwrap();
        }
        PayloadBody::new(receiver, length, Arc::default(), Arc::new(Through::new(Arc::new(Silent))))
    }

    #[tokio::test]
    async fn its_size_is_exact_all_the_way() {
        let segment = Bytes::from(vec![7; 600_000]);
        let mut body = body(vec![vec![segment.clone(), segment], vec![Bytes::from_static(b"end")]], 1_200_003);
        let mut left = 1_200_003;
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(!piece.is_empty() && piece.len() <= FRAME_BYTES);
            left -= piece.len() as u64;
            assert_eq!(body.size_hint().exact(), Some(left));
            assert_eq!(body.is_end_stream(), left == 0);
        }
        assert_eq!((left, body.meter.read()), (0, 1_200_003));
    }

    #[tokio::test]
    async fn segments_that_end_early_are_an_error() {
        let outcome = body(vec![vec![Bytes::from_static(b"abc")]], 4).collect().await;
        assert_eq!(outcome.unwrap_err(), CutShort);
    }
}
