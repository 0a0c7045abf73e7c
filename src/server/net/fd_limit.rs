//! The file descriptor limit of the process, and what is possible under it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::payload_limit::MAX_STREAMS;

/// Descriptors reserved for listeners, logs, and the store's database or connections of lists.
///
/// The database has a writer and four readers, each with its files. Lists over a bucket have up to 32 connections.
const RESERVED: u64 = 64;
/// Descriptors of a payload stream besides its connection.
///
/// The payload's file or a connection to the store, and another one while the first is replaced.
const PER_STREAM: u64 = 2;
/// Part of the other descriptors that payload streams may use, as a divisor.
const STREAM_SHARE_DIVISOR: u64 = 3;

/// Numbers of connections and payload streams that fit under a descriptor limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Possible {
    /// Connections of all listeners.
    pub(crate) connections: usize,
    /// Payload streams, at most [`MAX_STREAMS`].
    pub(crate) streams: usize,
}

impl Possible {
    /// Raises the soft descriptor limit to the hard limit, and returns what is possible with it.
    pub(crate) fn in_this_process() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        Self::with(match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        })
    }

    /// Returns what is possible with `descriptors`, at least 1 each; `None` means no limit.
    fn with(descriptors: Option<u64>) -> Self {
        let available = descriptors.map_or(u64::MAX, |limit| limit.saturating_sub(RESERVED));
        let number = |descriptors: u64| usize::try_from(descriptors).unwrap_or(usize::MAX).max(1);
        let streams = number(available / STREAM_SHARE_DIVISOR / PER_STREAM).min(MAX_STREAMS);
        Self { connections: number(available.saturating_sub(streams as u64 * PER_STREAM)), streams }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_streams_fit_under_the_limit() {
        let possible = |limit| Possible::with(Some(limit));
        assert_eq!(possible(256), Possible { connections: 128, streams: 32 });
        assert_eq!(possible(1_024), Possible { connections: 640, streams: 160 });
        assert_eq!(possible(10), Possible { connections: 1, streams: 1 });
        assert_eq!(Possible::with(None).streams, MAX_STREAMS);
        for limit in 70..20_000 {
            let Possible { connections, streams } = possible(limit);
            assert!(connections as u64 + streams as u64 * PER_STREAM + RESERVED <= limit, "{limit}");
        }
    }
}
