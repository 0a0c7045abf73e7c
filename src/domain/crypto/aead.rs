//! Short values sealed with AES-256-GCM: nonce, ciphertext and tag.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::digest::Sha256;
use super::{hkdf, random};

/// Size of the random nonce in front of the ciphertext, in bytes.
pub(super) const NONCE_BYTES: usize = 12;
/// Size of the authentication tag behind the ciphertext, in bytes.
pub(super) const TAG_BYTES: usize = 16;

/// Use of a derived key: the label of its derivation, and what a value sealed with it is bound to.
#[derive(Clone, Copy)]
pub(super) struct Purpose<'a> {
    /// Label of the key derivation, and start of the associated data.
    pub(super) label: &'static [u8],
    /// Rest of the associated data, such as the raw bytes of an id.
    pub(super) bound_to: &'a [u8],
}

/// Seals `plaintext` under a random nonce; returns nonce, ciphertext and tag.
pub(super) fn seal(secret: &[u8; 32], purpose: Purpose<'_>, plaintext: &[u8]) -> Vec<u8> {
    seal_under(random::bytes(), secret, purpose, plaintext)
}

/// Seals `plaintext` under a nonce derived from it: the same plaintext gives the same bytes.
///
/// HKDF-SHA256(secret, salt SHA-256 of the plaintext, info the label, 12 bytes): no two plaintexts have the same nonce.
pub(super) fn seal_repeatably(secret: &[u8; 32], purpose: Purpose<'_>, plaintext: &[u8]) -> Vec<u8> {
    let nonce = hkdf::derive::<NONCE_BYTES>(secret, Sha256::of(plaintext).as_bytes(), purpose.label);
    seal_under(*nonce, secret, purpose, plaintext)
}

fn seal_under(nonce: [u8; NONCE_BYTES], secret: &[u8; 32], purpose: Purpose<'_>, plaintext: &[u8]) -> Vec<u8> {
    // The copy has room for the tag: a reallocation would leave the plaintext in memory.
    let mut sealed = Zeroizing::new(Vec::with_capacity(plaintext.len() + TAG_BYTES));
    sealed.extend_from_slice(plaintext);
    cipher(secret, purpose.label)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated_data(purpose), &mut *sealed)
        .expect("the value is short");
    [&nonce, sealed.as_slice()].concat()
}

/// Opens a sealed value. Returns `None` if it was changed, or belongs to another secret or purpose.
pub(super) fn open(secret: &[u8; 32], purpose: Purpose<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let mut opened = Zeroizing::new(rest.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = cipher(secret, purpose.label).open_in_place(nonce, associated_data(purpose), &mut opened).ok()?.len();
    opened.truncate(length);
    Some(opened)
}

fn associated_data(purpose: Purpose<'_>) -> Aad<Vec<u8>> {
    Aad::from([purpose.label, purpose.bound_to].concat())
}

/// Returns AES-256-GCM with HKDF-SHA256(secret, salt empty, info `label`, 32 bytes).
fn cipher(secret: &[u8; 32], label: &[u8]) -> LessSafeKey {
    let derived = hkdf::derive::<32>(secret, &[], label);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, derived.as_slice()).expect("the key has 32 bytes"))
}
