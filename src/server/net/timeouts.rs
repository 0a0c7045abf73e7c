//! Timeouts for clients, the minimum rate of bodies, and the limits on connections and payload streams.

use std::time::Duration;

use super::payload_limit::MAX_STREAMS;

/// Default of [`Timeouts::response_stall`], in multiples of [`Timeouts::stall`].
///
/// A factor above 1 is needed since a slow line first drains the system's send buffer before the next poll.
const RESPONSE_FACTOR: u32 = 10;
/// Maximum timeout for a blocked write of a response without a payload.
const MAX_WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Timeouts for clients, the minimum rate of bodies, and the limits on connections and payload streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Timeout for a TLS handshake, and for the header section of the next request on a connection.
    pub header: Duration,
    /// Timeout for an HTTP/2 connection without an open request.
    pub http2_idle: Duration,
    /// Timeout for the next bytes of a request body, and for a blocked write of a small response. Responses with a
    /// payload have a timeout of their own.
    ///
    /// Also the time spent waiting for a request body between two checks of its rate.
    pub stall: Duration,
    /// Timeout for the client to read the next part of a payload; `None` for ten times `stall`.
    ///
    /// Also the time between two checks of a download's rate.
    pub response_stall: Option<Duration>,
    /// Minimum rate of a request or response body, in bytes per second of waiting for the client.
    pub min_rate: u64,
    /// Timeout for in-flight requests at shutdown.
    pub drain: Duration,
    /// Maximum open connections per listener; further connections wait to be accepted.
    ///
    /// The file descriptor limit of the process can reduce this maximum.
    pub max_connections: usize,
    /// Maximum concurrent uploads and downloads through this service; further ones are rejected.
    ///
    /// The file descriptor limit of the process can reduce this maximum.
    pub max_streams: usize,
}

impl Timeouts {
    /// Returns the timeout for the client to read the next part of a response body.
    pub(crate) fn response_timeout(&self) -> Duration {
        self.response_stall.unwrap_or(self.stall * RESPONSE_FACTOR)
    }

    /// Returns the timeout for a blocked write on a connection that carries no payload.
    pub(crate) fn write_timeout(&self) -> Duration {
        self.stall.min(MAX_WRITE_TIMEOUT)
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(30),
            http2_idle: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            response_stall: None,
            min_rate: 1024,
            drain: Duration::from_secs(10),
            max_connections: 8_192,
            max_streams: MAX_STREAMS,
        }
    }
}
