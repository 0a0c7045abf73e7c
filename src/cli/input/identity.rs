//! Private keys of this user: `--identity`, and the identity in the configuration directory.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::cli::config::paths;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::plugin_dialogue::plugins;
use crate::client::Api;
use crate::domain::crypto::commitment::Commitment;
use crate::domain::crypto::key::PayloadKey;
use crate::domain::id::TransferId;
use crate::domain::people::recipient_keys::{
    IdentityFile, IdentityKey, InvalidIdentity, KeysBlob, KeysEntries, KeysPlaintext, PluginFailure, RecipientKey,
    UnwrapKeysError, unwrap,
};

/// Maximum size of an identity file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Options for the private keys of a recipient.
#[derive(Args, Clone, Default)]
pub(crate) struct IdentityOptions {
    /// File with a private key of a recipient, of age, its plugins or ssh-ed25519; repeat the option
    /// for several
    /// [default: the identity of sgsend key]
    #[arg(short = 'i', long = "identity", value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Transfer that a private key of this user has opened.
pub(crate) struct UnwrappedKeys {
    pub(crate) key: PayloadKey,
    pub(crate) keys: KeysBlob,
    pub(crate) opener: RecipientKey,
}

impl IdentityOptions {
    /// Returns the files that the command line names.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns whether the command line names private keys.
    pub(crate) fn are_given(&self) -> bool {
        !self.files.is_empty()
    }

    /// Returns whether there is a private key to try, without reading it.
    pub(crate) fn is_possible(&self) -> bool {
        self.are_given() || paths::identity_file().is_some_and(|file| file.exists())
    }

    /// Reads the private keys; asks for their passphrases.
    ///
    /// # Errors
    /// Fails without any private key.
    pub(crate) async fn read(&self, context: &Context) -> Result<Vec<IdentityKey>> {
        let default = paths::identity_file().filter(|file| file.exists());
        let files = if self.files.is_empty() { default.into_iter().collect() } else { self.files.clone() };
        if files.is_empty() {
            let failure = Failure::new(
                Exit::WrongKey,
                "identity_missing",
                "this link is for recipients with keys of their own, and there is no private key here",
            );
            let hint = "pass the private key with --identity FILE; without one, run `sgsend key new` and give the sender the \
                        public key";
            return Err(failure.hint(hint).into());
        }
        let mut keys = Vec::new();
        for file in files {
            keys.extend(read_identity(&file, context).await?);
        }
        Ok(keys)
    }

    /// Opens the keys of a transfer, and compares the commitment in its link before anything else happens.
    ///
    /// # Errors
    /// Fails without a matching private key, and for a key that is not the link's.
    pub(crate) async fn open(
        &self,
        api: &Api,
        id: TransferId,
        commitment: Commitment,
        context: &Context,
    ) -> Result<UnwrappedKeys> {
        let identities = self.read(context).await?;
        let keys = context.first_call(|| api.keys(id)).await?;
        unwrap_keys(keys, identities, Some(commitment)).await
    }
}

/// Unwraps the payload key with one of the private keys, and compares its commitment.
pub(crate) async fn unwrap_keys(
    keys: KeysBlob,
    identities: Vec<IdentityKey>,
    commitment: Option<Commitment>,
) -> Result<UnwrappedKeys> {
    let unwrapped = spawn_blocking(move || (unwrap(&keys, &identities), keys));
    let (unwrapped, keys) = unwrapped.await.expect("unwrapping a key does not panic");
    let damaged = |message: &str| {
        Failure::new(Exit::WrongKey, "damaged_keys", message)
            .hint("the server or somebody else has changed the transfer; ask the sender to send it again")
    };
    let (plaintext, opener) = unwrapped.map_err(|error| match error {
        UnwrapKeysError::NoMatch(entries) => no_match(entries),
        UnwrapKeysError::Damaged => damaged("the wrapped key of this transfer is damaged"),
        UnwrapKeysError::Plugin(error) => plugin_failed(&error),
    })?;
    let key = KeysPlaintext::parse(&plaintext).ok_or_else(|| damaged("the wrapped text is no key of a transfer"))?.key;
    if commitment.is_some_and(|commitment| commitment != Commitment::of(&key)) {
        let message = "the server gave the key of another transfer than that of the link";
        let failure = Failure::new(Exit::WrongKey, "wrong_commitment", message);
        return Err(failure.hint("nothing was downloaded; check the link, and ask the sender to send it again").into());
    }
    Ok(UnwrappedKeys { key, keys, opener })
}

/// Returns the failure of a plugin, which has the private key.
fn plugin_failed(error: &PluginFailure) -> Failure {
    Failure::new(Exit::WrongKey, "plugin_failed", error.to_string())
        .hint("check that the device of the key is there, or pass another private key with --identity")
}

/// Returns the failure of private keys that are not among the recipients.
fn no_match(entries: KeysEntries) -> Failure {
    let KeysEntries { x25519, ssh_ed25519, other } = entries;
    let kinds = [(x25519, "age"), (ssh_ed25519, "ssh-ed25519"), (other, "unknown")];
    let kinds: Vec<_> =
        kinds.iter().filter(|(number, _)| *number > 0).map(|(number, kind)| format!("{number} {kind}")).collect();
    let message = format!(
        "this transfer is not for any private key here: it has {} entries, some of which may be throw-away ones",
        kinds.join(", ")
    );
    let hint = if ssh_ed25519 > 0 {
        "pass the right key with --identity, such as -i ~/.ssh/id_ed25519; or give the sender the output of `sgsend key show`"
    } else {
        "pass the right key with --identity; or give the sender the output of `sgsend key show`, and ask for a new transfer"
    };
    Failure::new(Exit::WrongKey, "no_matching_identity", message).hint(hint)
}

/// Reads one file with private keys, and asks for its passphrase.
pub(crate) async fn read_identity(file: &Path, context: &Context) -> Result<Vec<IdentityKey>> {
    let bytes = read_private(file)?;
    let name = file.display().to_string();
    let parsed = IdentityFile::parse(&bytes, Some(&plugins(context))).map_err(|error| invalid(&name, &error))?;
    if !parsed.needs_passphrase() {
        return Ok(parsed.unlock("").map_err(|error| invalid(&name, &error))?);
    }
    let asked = context.prompt.secret(&format!("Passphrase of {name}")).await?;
    let passphrase = asked.ok_or_else(|| {
        Failure::new(Exit::WrongKey, "identity_locked", format!("the private key {name} needs its passphrase"))
            .hint("run the command in a terminal, which asks for the passphrase")
    })?;
    let unlock = move || parsed.unlock(&passphrase);
    let keys = spawn_blocking(unlock).await.expect("decrypting a key does not panic");
    Ok(keys.map_err(|error| invalid(&name, &error))?)
}

/// Reads the bytes of a private file.
pub(crate) fn read_private(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    use std::io::Read;
    let mut bytes = Zeroizing::new(Vec::new());
    let read = std::fs::File::open(file).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
    read.map_err(|error| {
        let message = format!("the private key {} cannot be read: {error}", file.display());
        let hint = if error.kind() == io::ErrorKind::NotFound { "check the path" } else { "check its permissions" };
        Failure::new(Exit::LocalFile, "identity_unreadable", message).hint(hint)
    })?;
    Ok(bytes)
}

fn invalid(name: &str, error: &InvalidIdentity) -> Failure {
    let exit = if *error == InvalidIdentity::Passphrase { Exit::WrongKey } else { Exit::Usage };
    Failure::new(exit, "invalid_identity", format!("{name}: {error}"))
}
