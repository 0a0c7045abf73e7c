//! Sender tokens: the plain form held by the sender, and the stored record.

mod authenticate;
mod last_use;
mod quota;
mod requests;
pub mod service;
mod update;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

pub use authenticate::AuthenticatedToken;
pub use quota::{EntryOutcome, Quota, QuotaEntry, QuotaStep, ReservationMark, Verdicts};
pub use requests::MAX_REQUESTS;

use super::error::Error;
use super::id::TokenId;
use super::notification::TokenTargets;
use super::timestamp::Timestamp;
use super::version::V1;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::secret_bytes::SecretBytes;

/// Plain sender token, `sgs_{token_id}_{secret}`; the secret is 256 bits in 64 hex digits.
///
/// Implements neither `Debug` nor `Display`: only [`PlainToken::to_text`] reveals the secret.
pub struct PlainToken {
    token_id: TokenId,
    secret: SecretBytes,
}

/// Text that is not a well-formed sender token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sender token consists of sgs_, 16 lower-case hex digits, _ and 64 lower-case hex digits")]
pub struct InvalidToken;

impl PlainToken {
    /// Generates a random token.
    #[must_use]
    pub fn random() -> Self {
        Self { token_id: TokenId::random(), secret: SecretBytes::random() }
    }

    /// Returns the public part of the token, its id.
    #[must_use]
    pub const fn token_id(&self) -> TokenId {
        self.token_id
    }

    /// Creates the token with this id and secret.
    #[must_use]
    pub const fn of(token_id: TokenId, secret: SecretBytes) -> Self {
        Self { token_id, secret }
    }

    /// Returns the digest of the secret, for the store.
    #[must_use]
    pub fn secret_digest(&self) -> SecretDigest {
        SecretDigest(self.secret_sha256())
    }

    /// Returns the SHA-256 of the secret, with which a request is created.
    #[must_use]
    pub fn secret_sha256(&self) -> Sha256 {
        self.secret.digest()
    }

    /// Formats the token, including its secret, for the sender.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        use fmt::Write;
        let mut text = Zeroizing::new(String::with_capacity(4 + TokenId::DIGITS + 1 + 64));
        write!(text, "sgs_{}_", self.token_id).expect("writing to a String cannot fail");
        text.push_str(&self.secret.to_hex());
        text
    }
}

impl FromStr for PlainToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let (id, secret) = text.strip_prefix("sgs_").and_then(|rest| rest.split_once('_')).ok_or(InvalidToken)?;
        let secret = SecretBytes::from_hex(secret).ok_or(InvalidToken)?;
        Ok(Self { token_id: id.parse().map_err(|_| InvalidToken)?, secret })
    }
}

/// SHA-256 of a token's secret; the store never contains the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretDigest(Sha256);

impl From<Sha256> for SecretDigest {
    fn from(digest: Sha256) -> Self {
        Self(digest)
    }
}

/// Maximum length of a token's name, in characters.
const MAX_NAME_CHARS: usize = 100;

/// Text that cannot name a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX_NAME_CHARS} characters and no control characters")]
pub struct InvalidTokenName;

/// Checks the name of a new token.
///
/// # Errors
/// [`InvalidTokenName`] if it is empty, too long, or contains control characters.
pub fn check_name(name: &str) -> Result<(), InvalidTokenName> {
    let is_valid = (1..=MAX_NAME_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if is_valid { Ok(()) } else { Err(InvalidTokenName) }
}

/// Status of a sender token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenStatus {
    /// The token is valid.
    Active,
    /// An admin has revoked the token.
    Revoked,
    /// The token has expired.
    Expired,
}

/// `tokens/{token_id}.json`: stored record of a sender token, or of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Version of the record format.
    pub v: V1,
    /// Id of the token.
    pub token_id: TokenId,
    /// Name chosen by the admin.
    pub name: String,
    /// SHA-256 of the secret.
    pub secret_sha256: SecretDigest,
    /// Creation time.
    pub created_at: Timestamp,
    /// Expiry time; `None` if the token never expires.
    pub expires_at: Option<Timestamp>,
    /// Time of revocation; `None` if the token is not revoked.
    pub revoked_at: Option<Timestamp>,
    /// Time of the last use, with a resolution of one hour.
    pub last_used_at: Option<Timestamp>,
    /// Limits of the token, and their use.
    #[serde(default)]
    pub quota: Quota,
    /// Targets of notifications about the token's transfers, and the default choice of new transfers.
    #[serde(default, skip_serializing_if = "TokenTargets::is_default")]
    pub notifications: TokenTargets,
    /// Token that created this request; `None` for a sender token of its own.
    ///
    /// A request can only upload. Its transfers count in the quotas of both tokens, and belong to this owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<TokenId>,
    /// Ids of the token's requests, in the order of their creation. An id without an object is no request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<TokenId>,
}

impl Token {
    /// Returns the status at `now`; a token both revoked and expired counts as revoked.
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

    /// Checks the sender's token against this record.
    ///
    /// A wrong secret always gives [`Error::TokenInvalid`], so the response does not reveal the token's status.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`], [`Error::TokenRevoked`], [`Error::TokenExpired`].
    pub fn check(&self, plain: &PlainToken, now: Timestamp) -> Result<(), Error> {
        if !self.secret_sha256.0.is_of(plain.secret.as_bytes()) {
            return Err(Error::TokenInvalid);
        }
        match self.status_at(now) {
            TokenStatus::Active => Ok(()),
            TokenStatus::Revoked => Err(Error::TokenRevoked),
            TokenStatus::Expired => Err(Error::TokenExpired),
        }
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
            secret_sha256: plain.secret_digest(),
            created_at: Timestamp::from_millis(0),
            expires_at: Some(Timestamp::from_millis(100)),
            revoked_at: None,
            last_used_at: None,
            quota: Quota::default(),
            notifications: TokenTargets::default(),
            owner: None,
            requests: Vec::new(),
        }
    }

    #[test]
    fn a_token_parses_from_its_text() {
        let plain = PlainToken::random();
        let text = plain.to_text();
        assert_eq!(text.len(), 85);
        let parsed: PlainToken = text.parse().unwrap();
        assert_eq!(parsed.secret_digest(), plain.secret_digest());
        assert_eq!(parsed.token_id(), plain.token_id());
        for bad in ["", "sgs_", "sgs__", &text[1..], &text[..84], &text.to_uppercase(), &format!("{}0", *text)] {
            assert!(bad.parse::<PlainToken>().is_err(), "{bad:?} is accepted");
        }
    }

    #[test]
    fn a_wrong_secret_does_not_reveal_revocation_or_expiry() {
        let plain = PlainToken::random();
        let mut token = stored(&plain);
        let forged = PlainToken { token_id: plain.token_id(), secret: Zeroizing::new([7; 32]).into() };
        let (early, late) = (Timestamp::from_millis(99), Timestamp::from_millis(100));
        assert!(token.check(&plain, early).is_ok());
        assert!(matches!(token.check(&plain, late), Err(Error::TokenExpired)));
        assert!(matches!(token.check(&forged, late), Err(Error::TokenInvalid)));
        token.revoked_at = Some(early);
        assert!(matches!(token.check(&plain, late), Err(Error::TokenRevoked)));
        assert!(matches!(token.check(&forged, early), Err(Error::TokenInvalid)));
    }
}
