//! Short JSON texts sealed with the payload key, which a server stores and never opens.
//!
//! The JSON is padded with spaces to a multiple of 1 KiB, at most 16 KiB, and sealed with AES-256-GCM. A server learns its
//! length in KiB.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::aead::{self, NONCE_BYTES, Purpose, TAG_BYTES};
use super::key::PayloadKey;

/// The JSON is padded to a multiple of this size, in bytes.
const STEP_BYTES: usize = 1024;
/// Maximum size of the padded JSON, in bytes.
pub(super) const MAX_BYTES: usize = 16 * 1024;
/// Longest text form: base64url without padding.
const MAX_CHARACTERS: usize = (NONCE_BYTES + MAX_BYTES + TAG_BYTES).div_ceil(3) * 4;

/// Pads and seals `json`, which has at most [`MAX_BYTES`]. Returns base64url of nonce, ciphertext and tag.
pub(super) fn seal(key: &PayloadKey, purpose: Purpose<'_>, json: Vec<u8>) -> String {
    URL_SAFE_NO_PAD.encode(aead::seal(key.as_bytes(), purpose, &padded(json)))
}

/// Pads and seals `json` as [`seal`] does. The same JSON gives the same text each time.
pub(super) fn seal_repeatably(key: &PayloadKey, purpose: Purpose<'_>, json: Vec<u8>) -> String {
    URL_SAFE_NO_PAD.encode(aead::seal_repeatably(key.as_bytes(), purpose, &padded(json)))
}

fn padded(mut json: Vec<u8>) -> Vec<u8> {
    json.resize(json.len().next_multiple_of(STEP_BYTES).max(STEP_BYTES), b' ');
    json
}

/// Opens a text. Returns `None` if it was changed, or belongs to another key or purpose.
pub(super) fn open(key: &PayloadKey, purpose: Purpose<'_>, text: &str) -> Option<Zeroizing<Vec<u8>>> {
    aead::open(key.as_bytes(), purpose, &URL_SAFE_NO_PAD.decode(text).ok()?)
}

/// Returns whether `text` is base64url of 28 bytes and 1 to 16 KiB in steps of 1 KiB.
pub(super) fn is_well_formed(text: &str) -> bool {
    if text.len() > MAX_CHARACTERS {
        return false;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let padded = bytes.and_then(|bytes| bytes.len().checked_sub(NONCE_BYTES + TAG_BYTES));
    padded.is_some_and(|padded| (STEP_BYTES..=MAX_BYTES).contains(&padded) && padded.is_multiple_of(STEP_BYTES))
}

/// Defines the text of a sealed block, with the error of other texts.
///
/// In the pattern of the text, 3 KiB more are 4 096 characters more.
macro_rules! sealed_block {
    ($(#[$doc:meta])* $name:ident, $(#[$error_doc:meta])* $error:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, min_length = 1403, max_length = 21883, pattern = "^(?:[A-Za-z0-9_-]{4096}){0,5}(?:[A-Za-z0-9_-]{1402}[AEIMQUYcgkosw048]|[A-Za-z0-9_-]{2768}|[A-Za-z0-9_-]{4133}[AQgw])$")]
        pub struct $name(String);

        $(#[$error_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[error("{} must be base64url of 28 bytes and 1 to 16 KiB", $kind)]
        pub struct $error;

        impl $name {
            /// Returns a block of zero bytes, as an example of the form.
            #[cfg(test)]
            #[allow(dead_code, reason = "not every kind of block has a test that needs it")]
            pub(crate) fn example() -> Self {
                Self("A".repeat(1403))
            }

            /// Returns the text form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                if crate::domain::crypto::sealed_block::is_well_formed(&text) { Ok(Self(text)) } else { Err($error) }
            }
        }

        impl From<$name> for String {
            fn from(block: $name) -> Self {
                block.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({} characters)"), self.0.len())
            }
        }
    };
}
pub(super) use sealed_block;
