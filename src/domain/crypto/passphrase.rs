//! Passphrases: a second secret in addition to the link key, never the only one.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Iterations of PBKDF2 for a passphrase.
const ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).expect("not zero");

/// A passphrase in Unicode normalisation form NFC. The same characters match when typed on another system.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// The passphrase is empty and would protect nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the passphrase is empty")]
pub struct EmptyPassphrase;

impl Passphrase {
    /// Normalises a typed passphrase. Spaces are significant.
    pub fn new(text: &str) -> Result<Self, EmptyPassphrase> {
        if text.is_empty() {
            return Err(EmptyPassphrase);
        }
        // NFC makes UTF-8 text at most three times as long (UAX #15), so no reallocation leaves a copy in memory.
        let mut normalised = Zeroizing::new(String::with_capacity(3 * text.len()));
        normalised.extend(text.nfc());
        Ok(Self(normalised))
    }

    /// Reads the content of a passphrase file.
    ///
    /// Drops one trailing line ending (LF or CRLF); all other characters are significant.
    pub fn from_file_text(text: &str) -> Result<Self, EmptyPassphrase> {
        let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        Self::new(line)
    }

    /// Stretches the passphrase with PBKDF2-HMAC-SHA256 (RFC 8018) and 600 000 iterations.
    ///
    /// Takes several hundred milliseconds of CPU time.
    pub(crate) fn stretch(&self, salt: &[u8; 16]) -> Zeroizing<[u8; 32]> {
        let mut stretched = Zeroizing::new([0; 32]);
        derive(PBKDF2_HMAC_SHA256, ROUNDS, salt, self.0.as_bytes(), stretched.as_mut_slice());
        stretched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_characters_give_equal_passphrases() {
        assert_eq!(*Passphrase::new("cafe\u{301} \u{2603}").unwrap().0, "caf\u{e9} \u{2603}");
    }

    #[test]
    fn one_trailing_line_ending_of_a_file_is_dropped() {
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
    fn an_empty_passphrase_is_rejected() {
        assert_eq!(Passphrase::new("").err(), Some(EmptyPassphrase));
        for text in ["", "\n", "\r\n"] {
            assert_eq!(Passphrase::from_file_text(text).err(), Some(EmptyPassphrase), "{text:?}");
        }
    }
}
