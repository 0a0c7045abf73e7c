//! Limits of event streams, whose responses last until the client or the server ends them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::limits::LimitName;
use crate::domain::limits::concurrency::{Concurrency, Permit};

/// Maximum number of event streams of one token.
const MAX_PER_TOKEN: usize = 8;
/// Maximum number of event streams of a server.
const MAX_STREAMS: usize = 1_024;
/// Delay before a client should try again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Event streams of a server.
pub(crate) struct EventStreams {
    by_token: Concurrency<TokenId>,
    /// Whether responses can be sent while they are created; functions send them as a whole.
    can_stream: bool,
    ending: CancellationToken,
}

impl EventStreams {
    /// Creates the limits of a server.
    pub(crate) fn new(can_stream: bool) -> Self {
        Self { by_token: Concurrency::per_key(MAX_PER_TOKEN), can_stream, ending: CancellationToken::new() }
    }

    /// Returns a permit for a stream of a token.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if the token, [`Error::ServerBusy`] if the server has too many streams.
    pub(crate) fn acquire(&self, token_id: TokenId) -> Result<Permit<TokenId>, Error> {
        let (limit, retry_after) = (LimitName::EventStreams, RETRY_AFTER);
        if self.by_token.total() >= MAX_STREAMS {
            return Err(Error::ServerBusy { limit, retry_after });
        }
        self.by_token.try_acquire(token_id).ok_or(Error::RateLimited { limit, retry_after })
    }

    /// Returns whether responses can be sent while they are created.
    pub(crate) const fn can_stream(&self) -> bool {
        self.can_stream
    }

    /// Ends all streams when `stop` is cancelled, so that they don't delay the end of the server.
    pub(crate) fn end_on(&self, stop: &CancellationToken) {
        let (ending, stop) = (self.ending.clone(), stop.clone());
        tokio::spawn(async move {
            stop.cancelled().await;
            ending.cancel();
        });
    }

    /// Returns a token that is cancelled when the server stops.
    pub(crate) fn ending(&self) -> CancellationToken {
        self.ending.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_a_number_of_streams() {
        let (streams, token) = (EventStreams::new(true), TokenId::random());
        let mut open: Vec<_> = (0..MAX_PER_TOKEN).map(|_| streams.acquire(token).unwrap()).collect();
        assert!(matches!(streams.acquire(token), Err(Error::RateLimited { limit: LimitName::EventStreams, .. })));
        streams.acquire(TokenId::random()).unwrap();
        open.pop();
        streams.acquire(token).unwrap();
    }
}
