//! Sender tokens: what a sender shows, and what is kept of it.

mod quota;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

pub use quota::{Entry, Mark, Quota, Step, Verdict};

use super::digest::Sha256;
use super::error::Error;
use super::id::{TokenId, decode_lower_hex};
use super::random;
use super::timestamp::Timestamp;
use super::version::V1;

/// `last_used_at` is written once an hour at most, so that a busy token is no bottleneck.
const USE_RESOLUTION: Duration = Duration::from_hours(1);

/// A token as its owner has it: `sgs_{token_id}_{secret}`, the secret 256 bits in 64 hex digits.
///
/// It has no `Debug` or `Display`: [`PlainToken::to_text`] is the only way to see it.
pub struct PlainToken {
    token_id: TokenId,
    secret: Zeroizing<[u8; 32]>,
}

/// A text that is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sender token is sgs_, 16 hex digits, _ and 64 hex digits")]
pub struct InvalidToken;

impl PlainToken {
    /// Draws a new token.
    #[must_use]
    pub fn random() -> Self {
        Self { token_id: TokenId::random(), secret: Zeroizing::new(random::bytes()) }
    }

    /// The part of it that is not secret.
    #[must_use]
    pub const fn token_id(&self) -> TokenId {
        self.token_id
    }

    /// What is kept of it.
    #[must_use]
    pub fn hashed(&self) -> HashedToken {
        HashedToken(Sha256::of(self.secret.as_slice()))
    }

    /// The token as text, for its owner.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        use fmt::Write;
        let mut text = Zeroizing::new(String::with_capacity(4 + TokenId::DIGITS + 1 + 64));
        write!(text, "sgs_{}_", self.token_id).expect("writing to a String cannot fail");
        for byte in self.secret.iter() {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        }
        text
    }
}

impl FromStr for PlainToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let (id, secret) = text.strip_prefix("sgs_").and_then(|rest| rest.split_once('_')).ok_or(InvalidToken)?;
        let secret = decode_lower_hex(secret).map(Zeroizing::new).ok_or(InvalidToken)?;
        Ok(Self { token_id: id.parse().map_err(|_| InvalidToken)?, secret })
    }
}

/// SHA-256 of a token's secret: all that storage keeps of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HashedToken(Sha256);

/// A token's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenStatus {
    /// It can be used.
    Active,
    /// An admin revoked it.
    Revoked,
    /// Its time is over.
    Expired,
}

/// `tokens/{token_id}.json`: a token as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The version of this form.
    pub v: V1,
    /// Which token.
    pub token_id: TokenId,
    /// What the admin calls it.
    pub name: String,
    /// SHA-256 of its secret.
    pub secret_sha256: HashedToken,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its time is over; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, exact to an hour.
    pub last_used_at: Option<Timestamp>,
    /// How much it may be used for; `None` is without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
}

impl Token {
    /// The status at `now`. Revoked wins over expired.
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> TokenStatus {
        if self.revoked_at.is_some() {
            TokenStatus::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            TokenStatus::Expired
        } else {
            TokenStatus::Active
        }
    }

    /// Checks what a sender shows. Who has the wrong secret learns nothing else about the token.
    pub fn check(&self, shown: &PlainToken, now: Timestamp) -> Result<(), Error> {
        if !self.secret_sha256.0.is_of(shown.secret.as_slice()) {
            return Err(Error::TokenInvalid);
        }
        match self.status_at(now) {
            TokenStatus::Active => Ok(()),
            TokenStatus::Revoked => Err(Error::TokenRevoked),
            TokenStatus::Expired => Err(Error::TokenExpired),
        }
    }

    /// Notes a use at `now`; `false` where the last one noted is recent enough.
    pub fn note_use(&mut self, now: Timestamp) -> bool {
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

    fn stored(plain: &PlainToken) -> Token {
        Token {
            v: V1,
            token_id: plain.token_id(),
            name: "press office".to_owned(),
            secret_sha256: plain.hashed(),
            created_at: Timestamp::from_millis(0),
            expires_at: Some(Timestamp::from_millis(100)),
            revoked_at: None,
            last_used_at: None,
            quota: None,
        }
    }

    #[test]
    fn a_token_is_read_as_it_is_written() {
        let plain = PlainToken::random();
        let text = plain.to_text();
        assert_eq!(text.len(), 85);
        let read: PlainToken = text.parse().unwrap();
        assert_eq!(read.hashed(), plain.hashed());
        assert_eq!(read.token_id(), plain.token_id());
        for bad in ["", "sgs_", "sgs__", &text[1..], &text[..84], &text.to_uppercase(), &format!("{}0", *text)] {
            assert!(bad.parse::<PlainToken>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn only_the_right_secret_learns_that_a_token_is_revoked_or_expired() {
        let plain = PlainToken::random();
        let mut token = stored(&plain);
        let forged = PlainToken { token_id: plain.token_id(), secret: Zeroizing::new([7; 32]) };
        let (early, late) = (Timestamp::from_millis(99), Timestamp::from_millis(100));
        assert!(token.check(&plain, early).is_ok());
        assert!(matches!(token.check(&plain, late), Err(Error::TokenExpired)));
        assert!(matches!(token.check(&forged, late), Err(Error::TokenInvalid)));
        token.revoked_at = Some(early);
        assert!(matches!(token.check(&plain, late), Err(Error::TokenRevoked)));
        assert!(matches!(token.check(&forged, early), Err(Error::TokenInvalid)));
    }

    #[test]
    fn use_is_noted_once_an_hour() {
        let mut token = stored(&PlainToken::random());
        let start = Timestamp::from_millis(1);
        assert!(token.note_use(start));
        assert!(!token.note_use(start.plus(Duration::from_mins(59))));
        assert!(token.note_use(start.plus(USE_RESOLUTION)));
    }
}
