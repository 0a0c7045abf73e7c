//! Identity of this user, for which guests wrap their payload keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zeroize::Zeroizing;

use super::saved::write_private;
use crate::cli::config::paths;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::recipient_keys::{IdentityFile, IdentityKey, NewIdentity, RecipientKey};

/// Returns the public key for a new request, with the file of its identity.
///
/// Creates the user's identity if it is missing.
///
/// # Errors
/// Fails without an X25519 key in the file: the key of SSH does not fit into a link.
pub(super) async fn recipient(file: Option<PathBuf>, context: &Context) -> Result<(RecipientKey, PathBuf)> {
    let is_own = file.is_none();
    let path = path_or_default(file)?;
    if is_own && !path.try_exists().unwrap_or(true) {
        let identity = NewIdentity::generate(SystemClock.now());
        write_private(&path, identity.file.as_bytes()).map_err(|error| {
            let message = format!("cannot write the identity {}: {error}", path.display());
            Failure::new(Exit::LocalFile, "identity_unwritable", message)
        })?;
        return Ok((identity.recipient, path));
    }
    let keys = read_file(&path, context).await?;
    let key = keys.iter().map(IdentityKey::recipient).find(|key| key.x25519_bytes().is_some()).cloned();
    let key = key.ok_or_else(|| {
        Failure::new(Exit::LocalFile, "identity_kind", format!("{} has no age key", path.display()))
            .hint("a request needs an age identity (`AGE-SECRET-KEY-1…`); omit --identity to use this user's own")
    })?;
    Ok((key, path))
}

/// Reads identities, asking for a passphrase where one protects them.
pub(super) async fn read(files: Vec<PathBuf>, context: &Context) -> Result<Vec<IdentityKey>> {
    let files = if files.is_empty() { vec![path_or_default(None)?] } else { files };
    let mut keys = Vec::new();
    for file in files {
        keys.extend(read_file(&file, context).await?);
    }
    Ok(keys)
}

fn path_or_default(file: Option<PathBuf>) -> Result<PathBuf, Failure> {
    file.or_else(paths::identity_file).ok_or_else(|| {
        Failure::new(Exit::LocalFile, "no_home", "no home directory with an identity")
            .hint("name a file with --identity")
    })
}

async fn read_file(path: &Path, context: &Context) -> Result<Vec<IdentityKey>> {
    let bytes = fs::read(path).map(Zeroizing::new).map_err(|error| {
        let failure = Failure::new(
            Exit::LocalFile,
            "identity_unreadable",
            format!("cannot read the identity {}: {error}", path.display()),
        );
        match error.kind() {
            io::ErrorKind::NotFound => failure.hint(
                "what was sent can be opened only with the identity that the request was created with: restore the file \
                 from a backup, or name it with --identity",
            ),
            _ => failure,
        }
    })?;
    let invalid = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::WrongKey, "identity_invalid", format!("{}: {error}", path.display()))
    };
    let file = IdentityFile::parse(&bytes).map_err(|error| invalid(&error))?;
    let passphrase = if file.needs_passphrase() {
        let question = format!("Passphrase of {}", path.display());
        let text = context.prompt.secret(&question).await?;
        text.ok_or_else(|| {
            Failure::usage(format!("{} has a passphrase", path.display())).hint("run the command in a terminal")
        })?
    } else {
        Zeroizing::default()
    };
    let unlock = move || file.unlock(&passphrase);
    let keys = tokio::task::spawn_blocking(unlock).await.expect("opening an identity does not panic");
    Ok(keys.map_err(|error| invalid(&error))?)
}
