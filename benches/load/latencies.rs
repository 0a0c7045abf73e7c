//! Request latencies by kind, measured from the scheduled start of each request.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Create,
    Upload,
    Complete,
    Status,
    Grant,
    Download,
    Delete,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Create, Self::Upload, Self::Complete, Self::Status, Self::Grant, Self::Download, Self::Delete];
}

/// Latencies of all requests scheduled after the warm-up.
#[derive(Debug)]
pub(crate) struct Latencies {
    from: Instant,
    by_kind: [Mutex<Vec<Duration>>; 7],
}

impl Latencies {
    /// Creates an empty collection; requests scheduled before `from` do not count.
    pub(crate) fn from(from: Instant) -> Self {
        Self { from, by_kind: Default::default() }
    }

    /// Records the latency of a request that was scheduled at `due` and has just got its response.
    pub(crate) fn record(&self, kind: Kind, due: Instant) {
        if due >= self.from {
            self.by_kind[kind as usize].lock().expect("no thread panics while holding the lock").push(due.elapsed());
        }
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10} {:>8}", "ms", "number")?;
        for column in ["p50", "p90", "p99", "p99.9", "max"] {
            write!(f, " {column:>8}")?;
        }
        for kind in Kind::ALL {
            let mut sorted =
                self.by_kind[kind as usize].lock().expect("no thread panics while holding the lock").clone();
            sorted.sort_unstable();
            write!(f, "\n{:<10} {:>8}", format!("{kind:?}").to_lowercase(), sorted.len())?;
            for per_mille in [500, 900, 990, 999, 1000] {
                match quantile(&sorted, per_mille) {
                    Some(latency) => write!(f, " {:>8.1}", latency.as_secs_f64() * 1000.0)?,
                    None => write!(f, " {:>8}", "-")?,
                }
            }
        }
        Ok(())
    }
}

/// Returns a quantile: the smallest latency that `per_mille` ‰ of the requests did not exceed.
fn quantile(sorted: &[Duration], per_mille: usize) -> Option<Duration> {
    let rank = (sorted.len() * per_mille).div_ceil(1000);
    sorted.get(rank.saturating_sub(1)).copied()
}
