//! Recipients with keys of their own, and senders who sign.

mod changed_keys;
mod cheating_recipient;
mod cheating_server;
mod contacts;
mod leaks;
mod plugins;
mod recipients;
mod signatures;

use ssh_key::LineEnding;
use ssh_key::private::{Ed25519Keypair, KeypairData, PrivateKey};

use crate::support::Home;

/// Key pair of SSH in files of a home directory.
pub(crate) struct SshKey {
    /// Path of the private key.
    pub(crate) private: String,
    /// Path of the public key.
    pub(crate) public: String,
    /// Text of the public key.
    pub(crate) text: String,
    /// Fingerprint, as OpenSSH prints it.
    pub(crate) fingerprint: String,
}

impl SshKey {
    /// Makes the key with this seed.
    pub(crate) fn new(home: &Home, seed: u8) -> Self {
        let key = PrivateKey::new(KeypairData::from(Ed25519Keypair::from_seed(&[seed; 32])), "me@here").unwrap();
        let text = key.public_key().to_openssh().unwrap();
        Self {
            private: home.file(&format!("id-{seed}"), key.to_openssh(LineEnding::LF).unwrap().as_bytes()),
            public: home.file(&format!("id-{seed}.pub"), text.as_bytes()),
            fingerprint: key.fingerprint(ssh_key::HashAlg::Sha256).to_string(),
            text,
        }
    }
}

/// Returns the public key of a new identity of this home.
pub(crate) fn new_key(home: &Home) -> String {
    let public = home.run(&["key", "new"]).text();
    assert!(public.starts_with("age1"), "{public}");
    public
}
