//! Text form of 32-byte secrets: unpadded, canonical base64url (RFC 4648, section 5).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// Number of characters that encode 32 bytes.
pub(in crate::domain) const CHARACTERS: usize = 43;

/// Encodes 32 bytes as 43 characters.
pub(in crate::domain) fn encode(bytes: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(CHARACTERS));
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    text
}

/// Decodes 43 characters. Returns `None` for padding, another alphabet, or set bits after the last byte.
pub(in crate::domain) fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    if text.len() != CHARACTERS {
        return None;
    }
    match URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()) {
        Ok(32) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_round_trip(bytes: [u8; 32]) {
            let text = encode(&bytes);
            prop_assert_eq!(text.len(), CHARACTERS);
            prop_assert_eq!(*decode(&text).unwrap(), bytes);
        }

        #[test]
        fn accepted_text_is_canonical(text in "[A-Za-z0-9_-]{43}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(&*encode(&bytes), &text);
            }
        }
    }

    #[test]
    fn other_forms_are_rejected() {
        let good = "A".repeat(43);
        assert!(decode(&good).is_some());
        let with_last = |last: &str| format!("{}{last}", &good[1..]);
        for text in [
            &good[1..],
            &with_last("AA"),
            &with_last("="),
            &with_last("A="),
            &with_last("B"),
            &with_last("+"),
            &with_last("/"),
            &with_last(" "),
            "",
            "ü",
        ] {
            assert!(decode(text).is_none(), "{text:?} was accepted");
        }
    }
}
