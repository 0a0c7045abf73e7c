//! Limits concurrent payload streams: uploads and downloads through this service.

use super::shared_limit::SharedLimit;
use crate::domain::limits::LimitName;

/// Maximum payload streams of a process; the file descriptor limit can reduce this maximum.
///
/// A client that stops reading costs up to 512 KiB: a block that is being sent, and one read ahead.
pub(crate) const MAX_STREAMS: usize = 1_024;
/// Maximum payload streams of one network; its share of a smaller maximum follows.
const MAX_PER_NETWORK: usize = 64;
const NETWORK_SHARE_DIVISOR: usize = 4;

/// Creates the limit of `streams` payload streams at once.
///
/// The body of a response and its blocks hold the permit of their stream.
pub(crate) fn payload_limit(streams: usize) -> SharedLimit {
    SharedLimit::new(LimitName::PayloadStreams, streams, (streams / NETWORK_SHARE_DIVISOR).clamp(1, MAX_PER_NETWORK))
}
