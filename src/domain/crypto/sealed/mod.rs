//! The sealed payload format: the encrypted form of a transfer, and the only form that a server stores.
//!
//! The format is Google Tink's "AES-GCM-HKDF Streaming AEAD" with the parameters `AES256_GCM_HKDF_1MB` and the
//! associated data `sgsend/v1`, so that recipients can open payloads with independent implementations:
//!
//! - header, 40 bytes: `0x28` · salt (32 random bytes) · nonce prefix (7 random bytes)
//! - segment key: HKDF-SHA256(ikm = payload key, salt = salt, info = associated data, 32 bytes)
//! - segment `i`: AES-256-GCM without further associated data, nonce = prefix · `i` as a big-endian `u32` · `1` for the
//!   last segment, else `0`; the 16-byte tag follows the ciphertext
//! - segments start at multiples of 1 MiB; the first includes the header; every segment except the last is full
//!
//! Each segment can be sealed, downloaded and opened independently and in any order. Truncated or reordered payloads,
//! and mixtures of several payloads, fail authentication. [`Layout`] computes the byte ranges of segments, [`Sealer`]
//! and [`Opener`] process single segments, and [`OpenStream`] opens a payload from a stream of chunks.

mod header;
mod layout;
mod open;
mod seal;
mod stream;

pub use header::{Header, InvalidHeader};
pub use layout::{ImpossibleSize, Layout, TooLarge, plaintext_size, sealed_size};
pub use open::{OpenError, Opener};
pub use seal::{Sealer, Tag};
pub use stream::OpenStream;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, Nonce, UnboundKey};

use super::hkdf;
use super::key::PayloadKey;

/// Size of a full segment in bytes, including its tag and, in the first segment, the header.
pub const SEGMENT_SIZE: usize = 1 << 20;

/// Size in bytes of the header at the start of the first segment.
pub const HEADER_SIZE: usize = 40;

/// Size in bytes of the authentication tag at the end of every segment.
pub const TAG_SIZE: usize = 16;

/// Plaintext bytes in a full segment; the first segment holds [`HEADER_SIZE`] bytes fewer.
pub const SEGMENT_PLAINTEXT_SIZE: usize = SEGMENT_SIZE - TAG_SIZE;

/// Associated data, which binds the derived key to this format.
const ASSOCIATED_DATA: &[u8] = b"sgsend/v1";

/// Returns the number of header bytes in segment `index`: [`HEADER_SIZE`] for segment 0, otherwise 0.
#[must_use]
pub const fn header_bytes(index: u32) -> usize {
    if index == 0 { HEADER_SIZE } else { 0 }
}

/// Derives the AES-256-GCM key of all segments of the payload with this header.
fn segment_key(key: &PayloadKey, header: &Header) -> LessSafeKey {
    let derived = hkdf::derive::<32>(key.as_bytes(), header.salt(), ASSOCIATED_DATA);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, derived.as_slice()).expect("an AES-256 key has 32 bytes"))
}

/// Builds the nonce of one segment.
fn nonce(header: &Header, index: u32, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..7].copy_from_slice(header.nonce_prefix());
    nonce[7..11].copy_from_slice(&index.to_be_bytes());
    nonce[11] = last.into();
    Nonce::assume_unique_for_key(nonce)
}
