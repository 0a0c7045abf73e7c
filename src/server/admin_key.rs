//! The admin key, and the sessions that are derived from it.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::domain::digest::Sha256;
use crate::domain::hkdf;
use crate::domain::id::{decode_lower_hex, hex};
use crate::domain::timestamp::Timestamp;

/// The fewest characters of an admin key.
const SHORTEST: usize = 32;
/// How long a session lasts.
pub(super) const SESSION: Duration = Duration::from_hours(12);

/// The admin key. It is never printed, and compared in constant time.
#[derive(Clone)]
pub struct AdminKey(Zeroizing<String>);

/// An admin key that is too easily guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an admin key has at least {SHORTEST} characters")]
pub struct WeakAdminKey;

impl AdminKey {
    /// Takes a key as an operator wrote it.
    ///
    /// # Errors
    /// [`WeakAdminKey`] for one of fewer than 32 characters.
    pub fn new(text: &str) -> Result<Self, WeakAdminKey> {
        let text = Zeroizing::new(text.trim().to_owned());
        if text.chars().count() < SHORTEST { Err(WeakAdminKey) } else { Ok(Self(text)) }
    }

    /// Tells whether this is the key that was shown.
    #[must_use]
    pub fn is(&self, shown: &str) -> bool {
        Sha256::of(self.0.as_bytes()).is_of(shown.as_bytes())
    }

    /// Makes the value of a session cookie: when it ends, and an HMAC of that.
    #[must_use]
    pub fn new_session(&self, now: Timestamp) -> String {
        let end = now.plus(SESSION).as_millis();
        let tag = hmac::sign(&self.session_key(), &end.to_be_bytes());
        format!("{end}.{}", hex(tag.as_ref()))
    }

    /// Tells whether `cookie` is a session of this key that has not ended.
    #[must_use]
    pub fn has_session(&self, cookie: &str, now: Timestamp) -> bool {
        let Some((end, tag)) = cookie.split_once('.') else { return false };
        let (Ok(end), Some(tag)) = (end.parse::<u64>(), decode_lower_hex::<32>(tag)) else { return false };
        hmac::verify(&self.session_key(), &end.to_be_bytes(), &tag).is_ok() && now.as_millis() < end
    }

    /// Tells whether `cookie` has the form of a session, of any key and however old.
    #[must_use]
    pub fn is_like_session(cookie: &str) -> bool {
        let form = |(end, tag): (&str, &str)| end.parse::<u64>().is_ok() && decode_lower_hex::<32>(tag).is_some();
        cookie.split_once('.').is_some_and(form)
    }

    fn session_key(&self) -> hmac::Key {
        let key = hkdf::derive::<32>(self.0.as_bytes(), &[], b"sgsend/v1/admin-session");
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
    fn weak_keys_are_refused() {
        for weak in ["", "   ", "short", &"x".repeat(31), &format!("{}     ", "x".repeat(28))] {
            assert!(AdminKey::new(weak).is_err(), "{weak:?} was accepted");
        }
        let key = AdminKey::new(&format!("{}\n", "x".repeat(32))).unwrap();
        assert!(key.is(&"x".repeat(32)));
        assert!(!key.is(&"x".repeat(33)));
    }

    #[test]
    fn a_session_ends_and_belongs_to_its_key() {
        let key = AdminKey::new(&"k".repeat(40)).unwrap();
        let session = key.new_session(NOW);
        assert!(key.has_session(&session, NOW));
        assert!(!key.has_session(&session, NOW.plus(SESSION)));
        assert!(!AdminKey::new(&"o".repeat(40)).unwrap().has_session(&session, NOW));
        let (end, tag) = session.split_once('.').unwrap();
        let later = format!("{}.{tag}", end.parse::<u64>().unwrap() + 1);
        assert!(!key.has_session(&later, NOW), "a session could be prolonged");
        for bad in ["", ".", end, tag, &format!("{end}."), &format!("{end}.{}", &tag[1..])] {
            assert!(!key.has_session(bad, NOW));
        }
    }
}
