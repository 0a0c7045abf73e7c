//! The admin key, and the stateless browser sessions signed with a key derived from it.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::{hkdf, key_proof};
use crate::domain::id::{decode_lower_hex, hex};
use crate::domain::timestamp::Timestamp;

/// Minimum length of an admin key, in characters.
const MIN_CHARS: usize = 32;
/// Lifetime of a session.
pub(super) const SESSION_LIFETIME: Duration = Duration::from_hours(12);

/// The admin key: never printed, compared in constant time, zeroed on drop.
#[derive(Clone)]
pub struct AdminKey {
    text: Zeroizing<String>,
    is_generated: bool,
}

/// The error for an admin key shorter than 32 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an admin key needs at least {MIN_CHARS} characters")]
pub struct WeakAdminKey;

/// Returns `text` without the white space around it; `None` if it is too short for a key.
pub(super) fn strong(text: &str) -> Option<Zeroizing<String>> {
    let text = text.trim();
    (text.chars().count() >= MIN_CHARS).then(|| Zeroizing::new(text.to_owned()))
}

impl AdminKey {
    /// Reads a key from configuration, without the white space around it.
    ///
    /// # Errors
    /// [`WeakAdminKey`] if the key has fewer than 32 characters.
    pub fn new(text: &str) -> Result<Self, WeakAdminKey> {
        let text = strong(text).ok_or(WeakAdminKey)?;
        Ok(Self { text, is_generated: false })
    }

    /// Marks this key as generated, so that the service proves it to clients on request.
    ///
    /// Without effect on a key that is not 64 hex digits, such as one that a person has chosen: with a proof, anybody
    /// could test guesses of the key.
    #[must_use]
    pub fn generated(self) -> Self {
        Self { is_generated: decode_lower_hex::<32>(&self.text).is_some(), ..self }
    }

    /// Creates the proof that this service knows the key; `None` for a key that was not generated.
    #[must_use]
    pub(super) fn prove(&self, nonce: &str, origin: &str) -> Option<String> {
        self.is_generated.then(|| key_proof::create(&self.text, nonce, origin))
    }

    /// Returns whether `candidate` equals this key, compared in constant time.
    #[must_use]
    pub fn matches(&self, candidate: &str) -> bool {
        Sha256::of(self.text.as_bytes()).is_of(candidate.as_bytes())
    }

    /// Creates the value of a session cookie: the expiry in Unix milliseconds, and its HMAC-SHA256 tag.
    #[must_use]
    pub fn new_session(&self, now: Timestamp) -> String {
        let expiry = now.plus(SESSION_LIFETIME).as_millis();
        let tag = hmac::sign(&self.session_key(), &expiry.to_be_bytes());
        format!("{expiry}.{}", hex(tag.as_ref()))
    }

    /// Returns whether `cookie` is an unexpired session of this key.
    #[must_use]
    pub fn verify_session(&self, cookie: &str, now: Timestamp) -> bool {
        let Some((expiry, tag)) = cookie.split_once('.') else { return false };
        let (Ok(expiry), Some(tag)) = (expiry.parse::<u64>(), decode_lower_hex::<32>(tag)) else { return false };
        hmac::verify(&self.session_key(), &expiry.to_be_bytes(), &tag).is_ok() && now.as_millis() < expiry
    }

    /// Returns whether `cookie` has the form of a session, expired or not, whichever key signed it.
    #[must_use]
    pub fn has_session_form(cookie: &str) -> bool {
        let form = |(expiry, tag): (&str, &str)| expiry.parse::<u64>().is_ok() && decode_lower_hex::<32>(tag).is_some();
        cookie.split_once('.').is_some_and(form)
    }

    fn session_key(&self) -> hmac::Key {
        let key = hkdf::derive::<32>(self.text.as_bytes(), &[], b"sgsend/v1/admin-session");
        hmac::Key::new(hmac::HMAC_SHA256, key.as_slice())
    }
}

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn weak_keys_are_rejected() {
        for weak in ["", "   ", "short", &"x".repeat(31), &format!("{}     ", "x".repeat(28))] {
            assert!(AdminKey::new(weak).is_err(), "{weak:?} was accepted");
        }
        let key = AdminKey::new(&format!("{}\n", "x".repeat(32))).unwrap();
        assert!(key.matches(&"x".repeat(32)));
        assert!(!key.matches(&"x".repeat(33)));
    }

    #[test]
    fn a_session_expires_and_is_bound_to_its_key() {
        let key = AdminKey::new(&"k".repeat(40)).unwrap();
        let session = key.new_session(NOW);
        assert!(key.verify_session(&session, NOW));
        assert!(!key.verify_session(&session, NOW.plus(SESSION_LIFETIME)));
        assert!(!AdminKey::new(&"o".repeat(40)).unwrap().verify_session(&session, NOW));
        let (expiry, tag) = session.split_once('.').unwrap();
        let extended = format!("{}.{tag}", expiry.parse::<u64>().unwrap() + 1);
        assert!(!key.verify_session(&extended, NOW), "a session with a changed expiry was accepted");
        for bad in ["", ".", expiry, tag, &format!("{expiry}."), &format!("{expiry}.{}", &tag[1..])] {
            assert!(!key.verify_session(bad, NOW));
        }
    }
}
