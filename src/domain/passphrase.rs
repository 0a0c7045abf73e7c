//! The passphrase: a second factor on top of a link's key, never the only secret.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// How many rounds stretch a passphrase.
const ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).expect("not zero");

/// A passphrase in Unicode's form NFC, so that the same characters typed on different systems are the same passphrase.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// A passphrase without characters, which would protect nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the passphrase is empty")]
pub struct EmptyPassphrase;

impl Passphrase {
    /// Takes a passphrase as it was typed. Spaces count.
    pub fn new(text: &str) -> Result<Self, EmptyPassphrase> {
        if text.is_empty() {
            return Err(EmptyPassphrase);
        }
        // NFC makes no UTF-8 text more than three times as long (UAX #15), so no reallocation leaves a copy behind.
        let mut normalised = Zeroizing::new(String::with_capacity(3 * text.len()));
        normalised.extend(text.nfc());
        Ok(Self(normalised))
    }

    /// Takes what a passphrase file holds: one line ending (LF or CRLF) at its end is dropped, everything else counts.
    pub fn from_file_text(text: &str) -> Result<Self, EmptyPassphrase> {
        let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        Self::new(line)
    }

    /// Stretches the passphrase: PBKDF2-HMAC-SHA256 (RFC 8018), 600 000 rounds. Takes a good part of a second.
    pub(super) fn stretch(&self, salt: &[u8; 16]) -> Zeroizing<[u8; 32]> {
        let mut stretched = Zeroizing::new([0; 32]);
        derive(PBKDF2_HMAC_SHA256, ROUNDS, salt, self.0.as_bytes(), stretched.as_mut_slice());
        stretched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_characters_are_equal_passphrases() {
        assert_eq!(*Passphrase::new("cafe\u{301} \u{2603}").unwrap().0, "caf\u{e9} \u{2603}");
    }

    #[test]
    fn one_line_ending_of_a_file_is_dropped() {
        for (text, passphrase) in [
            ("a", "a"),
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("a\r", "a\r"),
            (" a ", " a "),
            ("a\r\n\r\n", "a\r\n"),
        ] {
            assert_eq!(*Passphrase::from_file_text(text).unwrap().0, passphrase, "{text:?}");
        }
    }

    #[test]
    fn an_empty_passphrase_is_refused() {
        assert_eq!(Passphrase::new("").err(), Some(EmptyPassphrase));
        for text in ["", "\n", "\r\n"] {
            assert_eq!(Passphrase::from_file_text(text).err(), Some(EmptyPassphrase), "{text:?}");
        }
    }
}
