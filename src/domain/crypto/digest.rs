//! SHA-256 digests, which the store keeps instead of secrets.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::domain::id::{decode_lower_hex, hex};

/// A SHA-256 digest; its text form is 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256([u8; 32]);

/// The text is not a SHA-256 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 digest must be 64 lower-case hex digits")]
pub struct InvalidDigest;

impl Sha256 {
    /// Computes the digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut raw = [0; 32];
        raw.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(raw)
    }

    /// Computes the digest of `parts`, each prefixed with its length.
    ///
    /// The prefix makes the division into parts unambiguous.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut raw = [0; 32];
        raw.copy_from_slice(context.finish().as_ref());
        Self(raw)
    }

    /// Returns whether this is the digest of `secret`, in constant time.
    #[must_use]
    pub fn is_of(&self, secret: &[u8]) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(secret).0).is_ok()
    }

    /// Returns the raw 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Incremental computation of a SHA-256 digest.
#[derive(Clone)]
pub struct Sha256Builder(Context);

impl Default for Sha256Builder {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Sha256Builder {
    /// Adds the next chunk of input.
    pub fn update(&mut self, chunk: &[u8]) {
        self.0.update(chunk);
    }

    /// Returns the digest of all input.
    #[must_use]
    pub fn finish(self) -> Sha256 {
        let mut raw = [0; 32];
        raw.copy_from_slice(self.0.finish().as_ref());
        Sha256(raw)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Sha256 {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        decode_lower_hex(&text).map(Self).ok_or(InvalidDigest)
    }
}

impl std::str::FromStr for Sha256 {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        decode_lower_hex(text).map(Self).ok_or(InvalidDigest)
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

impl utoipa::PartialSchema for Sha256 {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        crate::domain::wire::schema::pattern("A SHA-256 digest", "^[0-9a-f]{64}$")
    }
}

impl utoipa::ToSchema for Sha256 {}
