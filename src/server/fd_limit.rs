//! The file descriptor limit of the process, and what is possible under it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::net::payload_limit::MAX_STREAMS;

/// Descriptors reserved for listeners, logs, and the store's database.
///
/// The database has a writer and four readers, each with its files.
const RESERVED: u64 = 64;
/// Descriptors of a payload stream besides its connection.
///
/// The payload's file or a connection to the store, and another one while the first is replaced.
const PER_STREAM: u64 = 2;
/// Part of the other descriptors that payload streams may use, as a divisor.
const STREAM_SHARE_DIVISOR: u64 = 3;
/// Part of the other descriptors that further connections to a bucket may use, as a divisor.
const BUCKET_SHARE_DIVISOR: u64 = 6;
/// Maximum connections to a bucket besides those of payload streams.
const MAX_BUCKET_CONNECTIONS: usize = 1_024;

/// Use of descriptors besides the connections of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uses {
    /// Files: records need none beyond the reserved ones.
    Files,
    /// Connections to a bucket, for records too.
    Bucket,
}

/// Numbers of connections and payload streams that fit under a descriptor limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Possible {
    /// Connections of all listeners.
    pub(crate) connections: usize,
    /// Payload streams, at most [`MAX_STREAMS`].
    pub(crate) streams: usize,
    /// Connections to a bucket, with those of payload streams.
    #[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "only stores in buckets connect"))]
    pub(crate) store_connections: usize,
}

impl Possible {
    /// Raises the soft descriptor limit to the hard limit, and returns what is possible with it.
    pub(crate) fn in_this_process(uses: Uses) -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let descriptors = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        };
        Self::with(descriptors, uses)
    }

    /// Returns what is possible with `descriptors`, at least 1 each; `None` means no limit.
    fn with(descriptors: Option<u64>, uses: Uses) -> Self {
        let available = descriptors.map_or(u64::MAX, |limit| limit.saturating_sub(RESERVED));
        let number = |descriptors: u64| usize::try_from(descriptors).unwrap_or(usize::MAX).max(1);
        let streams = number(available / STREAM_SHARE_DIVISOR / PER_STREAM).min(MAX_STREAMS);
        let further = match uses {
            Uses::Files => 0,
            Uses::Bucket => number(available / BUCKET_SHARE_DIVISOR).min(MAX_BUCKET_CONNECTIONS),
        };
        let of_store = streams as u64 * PER_STREAM + further as u64;
        Self { connections: number(available.saturating_sub(of_store)), streams, store_connections: number(of_store) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_streams_fit_under_the_limit() {
        let possible = |limit, uses| Possible::with(Some(limit), uses);
        let (files, bucket) = (possible(256, Uses::Files), possible(256, Uses::Bucket));
        assert_eq!(files, Possible { connections: 128, streams: 32, store_connections: 64 });
        assert_eq!(bucket, Possible { connections: 96, streams: 32, store_connections: 96 });
        assert_eq!(possible(1_024, Uses::Files), Possible { connections: 640, streams: 160, store_connections: 320 });
        assert_eq!(possible(10, Uses::Files), Possible { connections: 1, streams: 1, store_connections: 2 });
        let unlimited = Possible::with(None, Uses::Bucket);
        assert_eq!((unlimited.streams, unlimited.store_connections), (MAX_STREAMS, 3 * 1_024));
        for limit in 80..20_000 {
            for uses in [Uses::Files, Uses::Bucket] {
                let Possible { connections, streams, store_connections } = possible(limit, uses);
                assert!(store_connections as u64 >= streams as u64 * PER_STREAM + u64::from(uses == Uses::Bucket));
                assert!((connections + store_connections) as u64 + RESERVED <= limit, "{limit}");
            }
        }
    }
}
