//! Time of a token's last use, recorded once an hour.

use std::time::Duration;

use super::Token;
use crate::domain::timestamp::Timestamp;

/// Minimum interval between writes of `last_used_at`. A busy token must not become a bottleneck.
const USE_RESOLUTION: Duration = Duration::from_hours(1);

impl Token {
    /// Records a use at `now`; returns `false` if the recorded last use is less than an hour old.
    pub fn record_use(&mut self, now: Timestamp) -> bool {
        let stale = self.last_used_at.is_none_or(|last| now.since(last) >= USE_RESOLUTION);
        if stale {
            self.last_used_at = Some(now);
        }
        stale
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::token::{PlainToken, Quota};
    use crate::domain::version::V1;

    #[test]
    fn use_is_recorded_once_an_hour() {
        let plain = PlainToken::random();
        let mut token = Token {
            v: V1,
            token_id: plain.token_id(),
            name: "press".to_owned(),
            secret_sha256: plain.secret_digest(),
            created_at: Timestamp::from_millis(0),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            quota: Quota::default(),
            notifications: crate::domain::notification::TokenTargets::default(),
            owner: None,
            requests: Vec::new(),
        };
        let start = Timestamp::from_millis(1);
        assert!(token.record_use(start));
        assert!(!token.record_use(start.plus(Duration::from_mins(59))));
        assert!(token.record_use(start.plus(USE_RESOLUTION)));
    }
}
