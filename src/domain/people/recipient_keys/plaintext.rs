//! Plaintext of a `keys` blob: the payload key, and a proof of origin for a request.

use zeroize::Zeroizing;

use crate::domain::crypto::base64url;
use crate::domain::crypto::key::{LinkKey, PayloadKey};

/// Plaintext of a `keys` blob.
pub struct KeysPlaintext {
    /// The payload key.
    pub key: PayloadKey,
    /// Text after the first line, without the line end; `None` if nothing follows.
    pub rest: Option<Zeroizing<String>>,
}

/// Returns the first line of the plaintext: `v1.` and the payload key in base64url.
#[must_use]
pub fn encode_payload_key(key: &PayloadKey) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(3 + base64url::CHARACTERS));
    text.push_str("v1.");
    text.push_str(&base64url::encode(key.as_bytes()));
    text
}

impl KeysPlaintext {
    /// Parses a plaintext. Returns `None` unless its first line is a payload key.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (first, rest) = text.split_once('\n').map_or((text, None), |(first, rest)| (first, Some(rest)));
        if !first.starts_with("v1.") {
            return None;
        }
        let key = first.parse::<LinkKey>().ok()?.unlock(None).ok()?.into_own()?;
        let rest = rest.map(|rest| rest.strip_suffix('\n').unwrap_or(rest)).filter(|rest| !rest.is_empty());
        Some(Self { key, rest: rest.map(|rest| Zeroizing::new(rest.to_owned())) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_payload_key() {
        let key = PayloadKey::random();
        let text = encode_payload_key(&key);
        for (rest, expected) in [("", None), ("\n", None), ("\nproof", Some("proof")), ("\nproof\n", Some("proof"))] {
            let parsed = KeysPlaintext::parse(format!("{}{rest}", *text).as_bytes()).unwrap();
            assert_eq!(parsed.key.as_bytes(), key.as_bytes());
            assert_eq!(parsed.rest.as_ref().map(|rest| rest.as_str()), expected);
        }
        for other in [
            &text[3..],
            "v1.",
            "",
            &text.replace("v1.", "v2."),
            &text.replace("v1.", "v1p."),
            &format!("{}\r\n", *text),
        ] {
            assert!(KeysPlaintext::parse(other.as_bytes()).is_none(), "{other:?}");
        }
        assert!(KeysPlaintext::parse(&[0xff; 46]).is_none());
    }
}
