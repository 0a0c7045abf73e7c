//! The sealed payload: what leaves a sender's machine, and all that a server ever holds.
//!
//! Google Tink's "AES-GCM-HKDF Streaming AEAD" with the parameters `AES256_GCM_HKDF_1MB` and the associated data
//! `sgsend/v1`, so that a recipient can open a payload with other people's code:
//!
//! - header, 40 bytes: `0x28` · salt (32 random bytes) · nonce prefix (7 random bytes)
//! - segment key: HKDF-SHA256(ikm = payload key, salt = salt, info = associated data, 32 bytes)
//! - segment `i`: AES-256-GCM without further associated data, nonce = prefix · `i` as a big-endian `u32` · `1` for the
//!   last segment, else `0`; the 16-byte tag follows the ciphertext
//! - segments begin at multiples of 1 MiB; the first holds the header too; every segment but the last is full
//!
//! Each segment can be sealed, fetched and opened alone and in any order, and what was truncated, reordered or mixed from
//! several payloads does not open. [`Layout`] says which bytes belong to which segment, [`Sealer`] and [`Opener`] work on
//! single segments, and [`OpenStream`] opens a payload that arrives in pieces.

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

/// How many bytes a full segment takes, its tag (and the first one's header) included.
pub const SEGMENT_SIZE: usize = 1 << 20;

/// How many bytes the header takes at the front of the first segment.
pub const HEADER_SIZE: usize = 40;

/// How many bytes the tag takes at the end of every segment.
pub const TAG_SIZE: usize = 16;

/// How many bytes of plaintext a full segment holds; the first one holds [`HEADER_SIZE`] fewer.
pub const SEGMENT_PLAINTEXT_SIZE: usize = SEGMENT_SIZE - TAG_SIZE;

/// Binds a payload to this use of its key.
const ASSOCIATED_DATA: &[u8] = b"sgsend/v1";

/// How many bytes stand before the ciphertext in segment `index`: the header's, or none.
#[must_use]
pub const fn header_room(index: u32) -> usize {
    if index == 0 { HEADER_SIZE } else { 0 }
}

/// Derives the key of all segments under one header.
fn segment_key(key: &PayloadKey, header: &Header) -> LessSafeKey {
    let derived = hkdf::derive::<32>(key.as_bytes(), header.salt(), ASSOCIATED_DATA);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, derived.as_slice()).expect("AES-256 takes keys of 32 bytes"))
}

/// The nonce of one segment.
fn nonce(header: &Header, index: u32, last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..7].copy_from_slice(header.nonce_prefix());
    nonce[7..11].copy_from_slice(&index.to_be_bytes());
    nonce[11] = last.into();
    Nonce::assume_unique_for_key(nonce)
}
