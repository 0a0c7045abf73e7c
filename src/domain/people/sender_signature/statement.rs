//! Text that a sender signs.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::commitment::Commitment;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::info::SealedInfo;
use crate::domain::crypto::sealed::Header;
use crate::domain::id::hex;
use crate::domain::people::recipient_keys::KeysBlob;
use crate::domain::timestamp::Timestamp;

/// Statement that a sender signs. A verifier builds it from what it has received.
#[derive(Clone, Copy)]
pub struct SignedStatement<'a> {
    /// Base URL of the link.
    pub base_url: &'a BaseUrl,
    /// Header of the payload.
    pub header: &'a Header,
    /// Tree hash over the segments of the payload.
    pub tree_hash: [u8; 32],
    /// Encrypted size of the payload, in bytes.
    pub sealed_bytes: u64,
    /// Commitment to the payload key.
    pub commitment: Commitment,
    /// Sealed info block, if there is one.
    pub info: Option<&'a SealedInfo>,
    /// Payload key wrapped for recipients, if it is.
    pub keys: Option<&'a KeysBlob>,
    /// SHA-256 of the canonical text of each recipient, sorted; `None` for anyone with the link.
    pub recipients: Option<&'a [Sha256]>,
    /// Time of the signature.
    pub signed_at: Timestamp,
}

impl SignedStatement<'_> {
    /// Returns the text: ten lines, each with a line feed at its end.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::from("sgsend-signature-v1\n");
        let mut line = |value: &dyn std::fmt::Display| writeln!(text, "{value}").expect("a string takes all text");
        line(&self.base_url);
        line(&hex(self.header.as_bytes()));
        line(&hex(&self.tree_hash));
        line(&self.sealed_bytes);
        line(&hex(self.commitment.as_bytes()));
        let digest =
            |bytes: Option<Vec<u8>>| bytes.map_or_else(|| "-".to_owned(), |bytes| Sha256::of(&bytes).to_string());
        let info =
            self.info.map(|info| URL_SAFE_NO_PAD.decode(info.as_str()).expect("the text of a block is base64url"));
        line(&digest(info));
        line(&digest(self.keys.map(KeysBlob::to_bytes)));
        let recipients = self.recipients.map(|recipients| {
            let texts: Vec<_> = recipients.iter().map(ToString::to_string).collect();
            texts.join(",")
        });
        line(&recipients.as_deref().unwrap_or("*"));
        line(&self.signed_at.as_millis());
        text
    }
}
