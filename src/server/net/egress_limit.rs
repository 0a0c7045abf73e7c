//! Limits the rate of downloaded payload bytes per network.

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::domain::address::NetworkKey;
use crate::domain::limits::ByteRate;
use crate::domain::limits::network_table::NetworkTable;

/// Maximum number of networks with a schedule.
///
/// It exceeds the number of payload streams, and each stream takes one turn ahead: a full table has ended turns, which are
/// removed first, so no network gets a new burst by an eviction.
const MAX_NETWORKS: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// Byte rate that the downloads of each network share. Delays bytes; rejects nobody.
///
/// Only payloads count that pass through this service. Other responses are small, and limited by their number.
pub(crate) struct EgressLimit {
    rate: ByteRate,
    /// Start of the next turn of each network.
    free_at: Mutex<NetworkTable<NetworkKey, Instant>>,
}

impl EgressLimit {
    /// Creates the limit of `rate` per network.
    pub(crate) fn new(rate: ByteRate) -> Self {
        Self { rate, free_at: Mutex::new(NetworkTable::new(MAX_NETWORKS)) }
    }

    /// Takes the turn of `bytes` bytes of a network; returns its start.
    fn turn(&self, network: NetworkKey, bytes: usize, now: Instant) -> Instant {
        let mut free_at = self.free_at.lock().expect("nothing panics while it holds this lock");
        if free_at.is_full() {
            free_at.retain(|free_at| *free_at > now);
        }
        let free_at = free_at.get_or_insert(network, || now);
        let turn = self.rate.turn(Some(*free_at), bytes, now);
        *free_at = turn.end;
        turn.start
    }
}

/// Wraps a payload so that its bytes keep the rate of its network.
///
/// Belongs inside the body that watches the client's rate, for which a turn counts as waiting for the store.
pub(crate) struct PacedBody {
    inner: Body,
    limit: Arc<EgressLimit>,
    network: NetworkKey,
    /// Rest of the current block.
    block: Bytes,
    /// Bytes of the current turn, and the wait for its start.
    turn: Option<(usize, Pin<Box<Sleep>>)>,
}

impl PacedBody {
    /// Limits `inner`, which goes to `network`.
    pub(crate) fn new(inner: Body, limit: Arc<EgressLimit>, network: NetworkKey) -> Self {
        Self { inner, limit, network, block: Bytes::new(), turn: None }
    }
}

impl http_body::Body for PacedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        while this.block.is_empty() {
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(block) => this.block = block,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let (limit, available) = (&this.limit, this.block.len());
        let (bytes, wait) = this.turn.get_or_insert_with(|| {
            let bytes = limit.rate.piece_bytes().min(available);
            (bytes, Box::pin(sleep_until(limit.turn(this.network, bytes, Instant::now()))))
        });
        ready!(wait.as_mut().poll(cx));
        let piece = this.block.split_to(*bytes);
        this.turn = None;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::*;

    const PAYLOAD: usize = 1_000_000;

    fn limit() -> Arc<EgressLimit> {
        Arc::new(EgressLimit::new(ByteRate::new(100_000).unwrap()))
    }

    async fn download(limit: &Arc<EgressLimit>, network: u8) {
        let body = PacedBody::new(Body::from(vec![7; PAYLOAD]), limit.clone(), NetworkKey::of_test(network));
        assert_eq!(body.collect().await.unwrap().to_bytes(), vec![7; PAYLOAD]);
    }

    #[tokio::test(start_paused = true)]
    async fn downloads_of_one_network_share_a_rate_and_those_of_others_do_not() {
        let (limit, started) = (limit(), Instant::now());
        tokio::join!(download(&limit, 1), download(&limit, 1), async {
            download(&limit, 2).await;
            let elapsed = started.elapsed().as_secs_f64();
            assert!((9.7..10.3).contains(&elapsed), "the other network took {elapsed} s");
        });
        let elapsed = started.elapsed().as_secs_f64();
        assert!((19.4..20.6).contains(&elapsed), "both took {elapsed} s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_networks_gives_none_a_new_burst() {
        let (limit, now) = (limit(), Instant::now());
        limit.turn(NetworkKey::of_test(1), 1_000_000, now);
        for network in 2..=u8::MAX {
            limit.turn(NetworkKey::of_test(network), 1, now);
        }
        let later = now + Duration::from_secs(1);
        assert_eq!(limit.turn(NetworkKey::of_test(1), 1, later), now + Duration::from_secs(10));
    }
}
