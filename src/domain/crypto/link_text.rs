//! Text forms of what a server keeps of a further link: its wrapped payload key and its sealed label.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Number of bytes of a wrapped key: nonce, payload key and tag.
pub const WRAPPED_KEY_BYTES: usize = 12 + 32 + 16;
/// Number of bytes of a sealed label: nonce, padded label and tag.
pub const SEALED_LABEL_BYTES: usize = 12 + 64 + 16;

/// The text is not unpadded, canonical base64url of the expected number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {kind} must be base64url of {bytes} bytes")]
pub struct InvalidLinkText {
    kind: &'static str,
    bytes: usize,
}

/// Defines a base64url text of `$bytes` bytes that a server stores and never opens.
macro_rules! link_text {
    ($(#[$doc:meta])* $name:ident, $bytes:expr, $kind:literal) => {
        #[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        $(#[$doc])*
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Encodes nonce, ciphertext and tag.
            #[must_use]
            pub fn from_bytes(bytes: &[u8; $bytes]) -> Self {
                Self(URL_SAFE_NO_PAD.encode(bytes))
            }

            /// Returns nonce, ciphertext and tag.
            #[must_use]
            pub fn to_bytes(&self) -> [u8; $bytes] {
                decode(&self.0).expect("the text was checked when it was parsed")
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidLinkText;

            fn try_from(text: String) -> Result<Self, InvalidLinkText> {
                match decode::<{ $bytes }>(&text) {
                    Some(_) => Ok(Self(text)),
                    None => Err(InvalidLinkText { kind: $kind, bytes: $bytes }),
                }
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

link_text!(
    /// Payload key, encrypted for the holders of a further link's key: nonce, ciphertext and tag.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{80}$")]
    WrappedKey,
    WRAPPED_KEY_BYTES,
    "wrapped key"
);

link_text!(
    /// Name of a further link, encrypted for its sender: nonce, ciphertext and tag.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{122}[AEIMQUYcgkosw048]$")]
    SealedLabel,
    SEALED_LABEL_BYTES,
    "label"
);

/// Decodes canonical base64url of exactly `N` bytes.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_text_of_the_right_length_is_accepted() {
        let key = String::from(WrappedKey::from_bytes(&[7; WRAPPED_KEY_BYTES]));
        let label = String::from(SealedLabel::from_bytes(&[7; SEALED_LABEL_BYTES]));
        assert_eq!((key.len(), label.len()), (80, 123));
        assert_eq!(WrappedKey::try_from(key.clone()).unwrap().to_bytes(), [7; WRAPPED_KEY_BYTES]);
        assert_eq!(SealedLabel::try_from(label.clone()).unwrap().to_bytes(), [7; SEALED_LABEL_BYTES]);
        for wrong in ["", &key[1..], &format!("{key}="), &format!("{key}AA"), &format!("+{}", &key[1..]), &label] {
            assert!(WrappedKey::try_from(wrong.to_owned()).is_err(), "{wrong:?} was accepted");
        }
        for wrong in [format!("{}B", &label[..122]), format!("{label}="), key] {
            assert!(SealedLabel::try_from(wrong.clone()).is_err(), "{wrong:?} was accepted");
        }
    }
}
