//! Proofs that a service knows an admin key, for one client's nonce and one address.
//!
//! A proof is HMAC-SHA256 under the admin key over a label, a zero byte, the nonce, a zero byte and the origin. An
//! impostor on another port or address cannot pass on a proof of the real service, since the origin differs.

use std::net::SocketAddr;

use aws_lc_rs::hmac;
use url::Url;

use crate::domain::id::{decode_lower_hex, hex};

/// Label that separates proofs from other uses of the key.
const LABEL: &str = "sgsend/v1/admin-key-proof";
/// Permitted lengths of a nonce, in characters.
const NONCE_CHARS: std::ops::RangeInclusive<usize> = 16..=128;

/// Returns whether `nonce` is one word of 16 to 128 characters of base64, base64url or hex.
#[must_use]
pub fn is_nonce(nonce: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+/=".contains(&byte);
    NONCE_CHARS.contains(&nonce.len()) && nonce.bytes().all(is_allowed)
}

/// Returns the origin of a service that listens on `address`, such as `http://127.0.0.1:8081`.
///
/// An IPv4 address inside an IPv6 address counts as the IPv4 address, and a default port is omitted, as in URLs.
#[must_use]
pub fn origin(is_tls: bool, address: SocketAddr) -> String {
    let (scheme, address) =
        (if is_tls { "https" } else { "http" }, SocketAddr::new(address.ip().to_canonical(), address.port()));
    let url = Url::parse(&format!("{scheme}://{address}")).expect("an IP address and a port make a URL");
    url.origin().ascii_serialization()
}

/// Creates the proof for `nonce` and `origin`, in hex.
#[must_use]
pub fn create(key: &str, nonce: &str, origin: &str) -> String {
    hex(hmac::sign(&hmac_key(key), &message(nonce, origin)).as_ref())
}

/// Returns whether `proof` is that of `key` for `nonce` and `origin`. Compares in constant time.
#[must_use]
pub fn verify(key: &str, nonce: &str, origin: &str, proof: &str) -> bool {
    let Some(tag) = decode_lower_hex::<32>(proof) else { return false };
    hmac::verify(&hmac_key(key), &message(nonce, origin), &tag).is_ok()
}

fn hmac_key(key: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())
}

fn message(nonce: &str, origin: &str) -> Vec<u8> {
    [LABEL, nonce, origin].join("\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "0123456789abcdef";

    #[test]
    fn a_proof_is_valid_for_its_key_nonce_and_origin_only() {
        let proof = create("key", NONCE, "http://127.0.0.1:8081");
        assert!(verify("key", NONCE, "http://127.0.0.1:8081", &proof));
        for (key, nonce, origin) in [
            ("yek", NONCE, "http://127.0.0.1:8081"),
            ("key", "0123456789abcdeF", "http://127.0.0.1:8081"),
            ("key", NONCE, "http://127.0.0.1:8082"),
            ("key", NONCE, "http://[::1]:8081"),
            ("key", NONCE, "https://127.0.0.1:8081"),
        ] {
            assert!(!verify(key, nonce, origin, &proof), "{key} {nonce} {origin}");
        }
        for wrong in ["", &proof[1..], &proof.to_uppercase(), &"0".repeat(64)] {
            assert!(!verify("key", NONCE, "http://127.0.0.1:8081", wrong), "{wrong}");
        }
    }

    #[test]
    fn origins_are_written_as_in_urls() {
        for (is_tls, address, text) in [
            (false, "127.0.0.1:8081", "http://127.0.0.1:8081"),
            (false, "127.0.0.1:80", "http://127.0.0.1"),
            (true, "[::1]:443", "https://[::1]"),
            (false, "[::ffff:127.0.0.1]:8081", "http://127.0.0.1:8081"),
        ] {
            assert_eq!(origin(is_tls, address.parse().unwrap()), text);
        }
    }

    #[test]
    fn a_nonce_is_one_word_of_bounded_length() {
        for (nonce, valid) in [
            (NONCE.to_owned(), true),
            ("-_+/=AZaz09-_+/=".to_owned(), true),
            ("a".repeat(128), true),
            ("a".repeat(129), false),
            ("a".repeat(15), false),
            (format!("{NONCE}\0"), false),
            (format!("{NONCE} "), false),
            ("é".repeat(16), false),
        ] {
            assert_eq!(is_nonce(&nonce), valid, "{nonce:?}");
        }
    }
}
