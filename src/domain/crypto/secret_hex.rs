//! Text form of secrets as lower-case hex digits.

use std::fmt::Write;

use zeroize::Zeroizing;

/// Encodes a secret as 64 lower-case hex digits, which are zeroised on drop.
pub(super) fn encode(secret: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(64));
    for byte in secret {
        write!(text, "{byte:02x}").expect("writing to a string never fails");
    }
    text
}
