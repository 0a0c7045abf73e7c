//! File descriptors: what bounds the number of connections, whatever else does.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are for everything but connections: the store, listeners, logs.
const OTHERS: u64 = 256;
/// A connection takes one, and what it fetches or sends may take another.
const PER_CONNECTION: u64 = 2;

/// Lets this process have as many descriptors as it may, and answers how many connections these carry.
pub(super) fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let may = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    carried(may)
}

/// How many connections so many descriptors carry; `None` is any number of descriptors.
fn carried(descriptors: Option<u64>) -> usize {
    let connections = descriptors.map(|may| (may.saturating_sub(OTHERS) / PER_CONNECTION).max(1));
    connections.and_then(|connections| usize::try_from(connections).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_left_for_the_rest() {
        assert_eq!(carried(Some(1_024)), 384);
        assert_eq!(carried(Some(100)), 1);
        assert_eq!(carried(None), usize::MAX);
    }
}
