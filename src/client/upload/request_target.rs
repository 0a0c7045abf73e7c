//! Request that an upload is for, and how its payload key is wrapped.

use zeroize::Zeroizing;

use crate::domain::crypto::key::PayloadKey;
use crate::domain::crypto::request_secret::RequestSecret;
use crate::domain::people::recipient_keys::{self, KeysBlob, RecipientKey, encode_payload_key};

/// Request that a guest uploads for.
#[derive(Clone)]
pub struct RequestTarget {
    /// Secret of the request, which marks its transfers.
    pub secret: RequestSecret,
    /// Public key of the request's owner.
    pub recipient: RecipientKey,
}

impl RequestTarget {
    /// Wraps a payload key for the owner, with the mark of the request.
    #[must_use]
    pub fn wrap(&self, key: &PayloadKey) -> KeysBlob {
        let mut plaintext = Zeroizing::new(String::with_capacity(128));
        for part in [&*encode_payload_key(key), "\n", &self.secret.mark(key).to_text()] {
            plaintext.push_str(part);
        }
        let wrapped = recipient_keys::wrap(plaintext.as_bytes(), std::slice::from_ref(&self.recipient));
        wrapped.expect("a key and a mark fit for one recipient")
    }
}
