//! Secrets of webhooks, and signatures by Standard Webhooks.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::domain::crypto::hkdf;
use crate::domain::id::{RecordId, TargetId};
use crate::domain::timestamp::Timestamp;

/// Minimum length of the key from which secrets are derived, in bytes.
const MIN_KEY: usize = 32;
/// Lengths of a secret in bytes, by the specification.
const SECRET_LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// Prefix of the text of a secret.
const PREFIX: &str = "whsec_";
/// Context of the derivation; the id of the target follows.
const INFO: &str = "sgsend/v1/webhook";

/// Key from which the secret of each webhook is derived.
#[derive(Clone)]
pub struct WebhookKey(Zeroizing<Vec<u8>>);

/// Text that is too short for a webhook key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook key has at least {MIN_KEY} bytes")]
pub struct InvalidWebhookKey;

impl WebhookKey {
    /// Creates the key from its text, without the white space around it.
    ///
    /// # Errors
    /// [`InvalidWebhookKey`] for a text that is too short.
    pub fn new(text: &str) -> Result<Self, InvalidWebhookKey> {
        let text = text.trim();
        if text.len() < MIN_KEY { Err(InvalidWebhookKey) } else { Ok(Self(Zeroizing::new(text.as_bytes().to_vec()))) }
    }

    /// Derives the secret of a target.
    #[must_use]
    pub fn secret(&self, target_id: TargetId) -> WebhookSecret {
        let secret = hkdf::derive::<32>(&self.0, &[], format!("{INFO}{target_id}").as_bytes());
        WebhookSecret(Zeroizing::new(secret.to_vec()))
    }
}

impl std::fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookKey")
    }
}

/// Secret with which the notifications to one webhook are signed.
#[derive(Clone)]
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

/// Text that is not a webhook secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is {PREFIX} and 24 to 64 bytes in base64")]
pub struct InvalidWebhookSecret;

impl WebhookSecret {
    /// Returns the text of the secret, for the receiver.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(&*self.0)))
    }

    /// Returns the signature of a request, the value of `webhook-signature`.
    #[must_use]
    pub fn sign(&self, id: RecordId, at: Timestamp, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{id}.{}.", at.as_millis() / 1_000).as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

impl FromStr for WebhookSecret {
    type Err = InvalidWebhookSecret;

    fn from_str(text: &str) -> Result<Self, InvalidWebhookSecret> {
        let text = text.trim().strip_prefix(PREFIX).ok_or(InvalidWebhookSecret)?;
        let secret = STANDARD.decode(text).map(Zeroizing::new).map_err(|_| InvalidWebhookSecret)?;
        if SECRET_LENGTHS.contains(&secret.len()) { Ok(Self(secret)) } else { Err(InvalidWebhookSecret) }
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::RecordIds;

    #[test]
    fn a_secret_depends_on_the_key_and_the_target() {
        let (key, other) = (WebhookKey::new(&"k".repeat(32)).unwrap(), WebhookKey::new(&"o".repeat(32)).unwrap());
        let (one, two) = ("0011223344556677".parse().unwrap(), TargetId::random());
        let text = key.secret(one).to_text();
        // HKDF-SHA256 of the key with an empty salt, by an independent implementation.
        assert_eq!(*text, "whsec_EsnMSJ4IzFyEF9RhKGQJA2pXbNyI0zoihwPyBsRp47I=");
        assert_ne!(text, key.secret(two).to_text());
        assert_ne!(text, other.secret(one).to_text());
        assert_eq!(text.parse::<WebhookSecret>().unwrap().to_text(), text);
        assert_eq!(WebhookKey::new(&format!(" {}\n", "k".repeat(31))).unwrap_err(), InvalidWebhookKey);
    }

    #[test]
    fn signatures_follow_the_specification() {
        let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let id = RecordIds::default().next(Timestamp::from_millis(1_614_265_330_000));
        let signed = secret.sign(id, Timestamp::from_millis(1_614_265_330_999), b"{}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        let expected = STANDARD.encode(hmac::sign(&key, format!("{id}.1614265330.{{}}").as_bytes()));
        assert_eq!(signed, format!("v1,{expected}"));
        for wrong in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ", "whsec_!!"] {
            assert!(wrong.parse::<WebhookSecret>().is_err(), "{wrong:?}");
        }
    }
}
