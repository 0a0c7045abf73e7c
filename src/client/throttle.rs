//! Limits the byte rate of payloads, over all connections of a client together.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

use super::Api;
use crate::domain::limits::{ByteRate, ByteTurn};

/// Byte rate that several connections share.
#[derive(Clone)]
pub(super) struct Throttle {
    rate: ByteRate,
    /// Start of the next turn; `None` before the first one.
    free_at: Arc<Mutex<Option<Instant>>>,
}

impl Throttle {
    /// Creates the limit. Its first bytes may pass at once.
    pub(super) fn new(rate: ByteRate) -> Self {
        Self { rate, free_at: Arc::default() }
    }

    /// Returns the number of connections that use the rate, at most `max`.
    pub(super) fn connections(&self, max: usize) -> usize {
        self.rate.connections(max)
    }

    fn turn(&self, bytes: usize) -> ByteTurn {
        let mut free_at = self.free_at.lock().expect("no thread panics while holding this lock");
        let turn = self.rate.turn(*free_at, bytes, Instant::now());
        *free_at = Some(turn.end);
        turn
    }

    /// Waits until the next bytes may be received, after `bytes` bytes were.
    pub(super) async fn received(&self, bytes: usize) {
        sleep_until(self.turn(bytes).end).await;
    }
}

impl Api {
    /// Limits the rate of payload bytes, in both directions and flows.
    ///
    /// All connections of this client and its copies share the rate.
    #[must_use]
    pub fn limited_to(mut self, rate: Option<ByteRate>) -> Self {
        self.throttle = rate.map(Throttle::new);
        self
    }

    /// Returns the limit on the rate of payload bytes.
    pub(super) const fn throttle(&self) -> Option<&Throttle> {
        self.throttle.as_ref()
    }
}

/// Outgoing bytes of one connection under a shared rate.
pub(super) struct PacedSender {
    throttle: Throttle,
    /// Bytes of the current turn, and the wait for its start.
    turn: Option<(usize, Pin<Box<Sleep>>)>,
}

impl PacedSender {
    /// Creates the schedule of a connection under `throttle`.
    pub(super) fn new(throttle: Throttle) -> Self {
        Self { throttle, turn: None }
    }

    /// Waits for a turn to send some of `available` bytes; returns how many of them.
    pub(super) fn poll_turn(&mut self, available: usize, cx: &mut Context<'_>) -> Poll<usize> {
        let throttle = &self.throttle;
        let (bytes, wait) = self.turn.get_or_insert_with(|| {
            let bytes = throttle.rate.piece_bytes().min(available);
            (bytes, Box::pin(sleep_until(throttle.turn(bytes).start)))
        });
        ready!(wait.as_mut().poll(cx));
        let bytes = *bytes;
        self.turn = None;
        Poll::Ready(bytes)
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes/s", self.rate.bytes_per_second())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn throttle(bytes: u64) -> Throttle {
        Throttle::new(ByteRate::new(bytes).unwrap())
    }

    /// Asserts that `seconds` passed since `started`, within 3 %.
    fn assert_elapsed(started: Instant, seconds: f64) {
        let elapsed = started.elapsed().as_secs_f64();
        assert!((elapsed / seconds - 1.0).abs() < 0.03, "{elapsed} s instead of {seconds} s");
    }

    #[tokio::test(start_paused = true)]
    async fn received_bytes_of_several_connections_keep_one_rate() {
        let (throttle, started) = (throttle(2 * MIB), Instant::now());
        let connection = || async {
            for _ in 0..100 {
                // Whatever size the system has delivered.
                throttle.received(104_858).await;
            }
        };
        tokio::join!(connection(), connection(), connection(), connection());
        assert_elapsed(started, 20.0);
    }

    #[tokio::test(start_paused = true)]
    async fn sent_bytes_of_several_connections_keep_one_rate() {
        for rate in [40_000, 2 * MIB, 100 * MIB] {
            let (throttle, started) = (throttle(rate), Instant::now());
            let connection = || async {
                let mut sender = PacedSender::new(throttle.clone());
                let mut remaining = usize::try_from(rate * 5).unwrap();
                while remaining > 0 {
                    remaining -= std::future::poll_fn(|cx| sender.poll_turn(remaining, cx)).await;
                }
            };
            tokio::join!(connection(), connection(), connection(), connection());
            assert_elapsed(started, 20.0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_give_no_burst_and_lateness_is_made_up() {
        let (throttle, started) = (throttle(MIB), Instant::now());
        let mebibyte = usize::try_from(MIB).unwrap();
        throttle.received(mebibyte).await;
        // A lost connection.
        sleep(Duration::from_mins(1)).await;
        throttle.received(20 * mebibyte).await;
        assert_elapsed(started + Duration::from_secs(61), 20.0);
        // Each read is late by the same time as its turn takes.
        let late = Instant::now();
        for _ in 0..200 {
            sleep(Duration::from_millis(50)).await;
            throttle.received(mebibyte / 10).await;
        }
        assert_elapsed(late, 20.0);
    }
}
