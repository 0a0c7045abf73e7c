//! Identity of this user, for which guests wrap their payload keys.

use std::path::PathBuf;

use anyhow::Result;

use crate::cli::config::paths;
use crate::cli::config::private_file::{self, Existing};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::identity::read_identity;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::people::recipient_keys::{IdentityKey, NewIdentity, RecipientKey};

/// Returns the public key for a new request, with the file of its identity.
///
/// Creates the user's identity if it is missing.
///
/// # Errors
/// Fails without an X25519 key in the file: the key of SSH does not fit into a link.
pub(super) async fn recipient(file: Option<PathBuf>, context: &Context) -> Result<(RecipientKey, PathBuf)> {
    let is_own = file.is_none();
    let path = file.or_else(paths::identity_file).ok_or_else(|| {
        Failure::new(Exit::LocalFile, "no_home", "no home directory with an identity")
            .hint("name a file with --identity")
    })?;
    if is_own && !path.try_exists().unwrap_or(true) {
        let identity = NewIdentity::generate(SystemClock.now());
        private_file::write(&path, identity.file.as_bytes(), Existing::Kept).map_err(|error| {
            let message = format!("cannot write the identity {}: {error}", path.display());
            Failure::new(Exit::LocalFile, "identity_unwritable", message)
        })?;
        return Ok((identity.recipient, path));
    }
    let keys = read_identity(&path, context).await?;
    let key = keys.iter().map(IdentityKey::recipient).find(|key| key.x25519_bytes().is_some()).cloned();
    let key = key.ok_or_else(|| {
        Failure::new(Exit::LocalFile, "identity_kind", format!("{} has no age key", path.display()))
            .hint("a request needs an age identity (`AGE-SECRET-KEY-1…`), such as one of `age-keygen`: pass it with --identity")
    })?;
    Ok((key, path))
}
