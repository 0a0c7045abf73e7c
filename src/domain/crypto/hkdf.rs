//! HKDF-SHA256 (RFC 5869), the derivation of all keys and proofs.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

/// An output length in bytes.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Derives `N` bytes, at most 8 160, from the input key material `secret`.
pub(crate) fn derive<const N: usize>(secret: &[u8], salt: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32, "HKDF-SHA256 yields at most 255 blocks") };
    let mut derived = Zeroizing::new([0; N]);
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], Length(N))
        .and_then(|output| output.fill(derived.as_mut_slice()))
        .expect("the length is within HKDF's limit and equals the buffer's");
    derived
}
