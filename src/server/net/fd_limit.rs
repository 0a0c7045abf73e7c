//! The file descriptor limit of the process, and the number of connections possible under it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors reserved for the store, listeners and logs.
const RESERVED: u64 = 256;
/// Descriptors per connection: one for the socket, one for the payload being read or written.
const PER_CONNECTION: u64 = 2;

/// Raises the soft descriptor limit to the hard limit, and returns the connections possible with it.
pub(crate) fn max_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let available = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    connections_for(available)
}

/// Returns the number of connections, at least 1, possible with `descriptors`; `None` means no limit.
fn connections_for(descriptors: Option<u64>) -> usize {
    let connections = descriptors.map(|limit| (limit.saturating_sub(RESERVED) / PER_CONNECTION).max(1));
    connections.and_then(|connections| usize::try_from(connections).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_reserved() {
        assert_eq!(connections_for(Some(1_024)), 384);
        assert_eq!(connections_for(Some(100)), 1);
        assert_eq!(connections_for(None), usize::MAX);
    }
}
