//! Files with private keys: identity files of age, and private keys of SSH.

use std::io::{Read, Write};
use std::iter;

use age::secrecy::{ExposeSecret, SecretString};
use ssh_key::private::PrivateKey;
use zeroize::Zeroizing;

use super::identity::IdentityKey;
use super::plugin::{PluginFailure, Plugins};
use super::recipient::RecipientKey;
use crate::domain::timestamp::Timestamp;

/// Start of a private key of SSH.
const SSH_START: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
/// Start of an age file, as which an identity file with a passphrase is stored.
const AGE_START: &[u8] = b"age-encryption.org/v1\n";
/// Maximum size of an identity file with a passphrase after decryption, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// Largest accepted work factor of scrypt, as a power of two: never about 4 GiB of memory.
const MAX_WORK: u8 = 20;

/// Parsed file with private keys.
pub enum IdentityFile {
    /// Keys that can be used.
    Open(Vec<IdentityKey>),
    /// An identity file of age that is protected by a passphrase.
    ProtectedAge(Vec<u8>, Option<Plugins>),
    /// A private key of SSH that is protected by a passphrase.
    ProtectedSsh(Box<PrivateKey>),
}

/// The file has no private key that can be used. The error contains nothing of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentity {
    /// The file is no identity file, or is damaged.
    #[error("not an identity: expected an age identity file (`AGE-SECRET-KEY-1…`) or an ssh-ed25519 private key")]
    Malformed,
    /// The file is a public key.
    #[error("this is a public key; opening needs the private key")]
    Public,
    /// The key is of a kind that is not supported.
    #[error("private keys of the kind {0} are not supported: use an age identity or an ssh-ed25519 key")]
    Unsupported(String),
    /// The identity of a plugin has no public key in the lines before it. Signatures name recipients by theirs.
    #[error("the identity of a plugin needs its public key in a comment before it, such as `# recipient: age1NAME1…`")]
    PluginRecipient,
    /// The plugin of the identity cannot be used.
    #[error(transparent)]
    Plugin(#[from] PluginFailure),
    /// The passphrase is wrong.
    #[error("the passphrase of the identity is wrong")]
    Passphrase,
}

impl IdentityFile {
    /// Parses the contents of a file. Identities of plugins need `plugins`.
    ///
    /// # Errors
    /// [`InvalidIdentity`], except [`InvalidIdentity::Passphrase`].
    pub fn parse(bytes: &[u8], plugins: Option<&Plugins>) -> Result<Self, InvalidIdentity> {
        if bytes.starts_with(AGE_START) {
            return Ok(Self::ProtectedAge(bytes.to_vec(), plugins.cloned()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| InvalidIdentity::Malformed)?;
        if text.trim_start().starts_with(SSH_START) {
            let key = PrivateKey::from_openssh(text.trim_start()).map_err(|_| InvalidIdentity::Malformed)?;
            return if key.is_encrypted() {
                Ok(Self::ProtectedSsh(Box::new(key)))
            } else {
                IdentityKey::of_ssh(&key).map(|key| Self::Open(vec![key]))
            };
        }
        parse_lines(text, plugins).map(Self::Open)
    }

    /// Returns whether the keys are protected by a passphrase.
    #[must_use]
    pub const fn needs_passphrase(&self) -> bool {
        !matches!(self, Self::Open(_))
    }

    /// Returns the keys, decrypted with `passphrase`. Blocks for about a second with a passphrase.
    ///
    /// # Errors
    /// [`InvalidIdentity::Passphrase`] for a wrong passphrase; the errors of [`IdentityFile::parse`] for the contents.
    pub fn unlock(self, passphrase: &str) -> Result<Vec<IdentityKey>, InvalidIdentity> {
        match self {
            Self::Open(keys) => Ok(keys),
            Self::ProtectedSsh(key) => {
                let key = key.decrypt(passphrase).map_err(|_| InvalidIdentity::Passphrase)?;
                IdentityKey::of_ssh(&key).map(|key| vec![key])
            }
            Self::ProtectedAge(file, plugins) => {
                let decryptor = age::Decryptor::new(&*file).map_err(|_| InvalidIdentity::Malformed)?;
                if !decryptor.is_scrypt() {
                    return Err(InvalidIdentity::Malformed);
                }
                let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
                identity.set_max_work_factor(MAX_WORK);
                let opened = decryptor.decrypt(iter::once(&identity as &dyn age::Identity));
                let mut text = Zeroizing::new(String::new());
                let opened = opened.map_err(|_| InvalidIdentity::Passphrase)?;
                opened.take(MAX_BYTES).read_to_string(&mut text).map_err(|_| InvalidIdentity::Malformed)?;
                parse_lines(&text, plugins.as_ref())
            }
        }
    }
}

/// Parses the lines of an identity file of age.
fn parse_lines(text: &str, plugins: Option<&Plugins>) -> Result<Vec<IdentityKey>, InvalidIdentity> {
    let mut keys = Vec::new();
    // Public key in the comments before an identity.
    let mut commented = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix('#') {
            let named = plugins.and_then(|plugins| {
                comment.split_ascii_whitespace().find_map(|word| RecipientKey::parse_with(word, plugins).ok())
            });
            commented = named.or(commented);
        } else if let Some(plugins) = plugins
            && let Ok(identity) = line.parse::<age::plugin::Identity>()
        {
            let recipient = commented.take().ok_or(InvalidIdentity::PluginRecipient)?;
            keys.push(IdentityKey::of_plugin(&identity, recipient, plugins)?);
        } else if let Ok(key) = line.parse() {
            commented = None;
            keys.push(IdentityKey::of_x25519(key));
        } else if line.parse::<RecipientKey>().is_ok() {
            return Err(InvalidIdentity::Public);
        } else if let Some(rest) = line.strip_prefix("AGE-PLUGIN-") {
            let plugin = rest.split("-1").next().unwrap_or_default();
            let is_name = plugin.len() < 40 && plugin.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            return Err(InvalidIdentity::Unsupported(if is_name {
                format!("AGE-PLUGIN-{plugin}")
            } else {
                "plugin".into()
            }));
        } else {
            return Err(InvalidIdentity::Malformed);
        }
    }
    if keys.is_empty() { Err(InvalidIdentity::Malformed) } else { Ok(keys) }
}

/// New X25519 key, in the format of age's own identity files.
pub struct NewIdentity {
    /// Contents of the file.
    pub file: Zeroizing<String>,
    /// The public key.
    pub recipient: RecipientKey,
}

impl NewIdentity {
    /// Generates a key with the operating system's random number generator.
    #[must_use]
    pub fn generate(now: Timestamp) -> Self {
        let key = age::x25519::Identity::generate();
        let recipient = RecipientKey::of_x25519(key.to_public());
        let secret = key.to_string();
        let file = format!("# created: {}\n# public key: {recipient}\n{}\n", now.utc(), secret.expose_secret());
        Self { file: Zeroizing::new(file), recipient }
    }
}

/// Encrypts the contents of an identity file with a passphrase, as `age -p` does. Blocks for about a second.
#[must_use]
pub fn protect(file: &str, passphrase: &str) -> Vec<u8> {
    let encryptor = age::Encryptor::with_user_passphrase(SecretString::from(passphrase.to_owned()));
    let mut protected = Vec::new();
    let written = encryptor.wrap_output(&mut protected).and_then(|mut writer| {
        writer.write_all(file.as_bytes())?;
        writer.finish().map(drop)
    });
    written.expect("writing to memory does not fail");
    protected
}
