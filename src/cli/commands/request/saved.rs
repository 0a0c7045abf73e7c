//! Files of this user's requests: link, and what was downloaded.
//!
//! `requests/{token_id}.json` in the configuration directory.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::cli::config::paths;
use crate::cli::config::private_file::{self, Existing};
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::identity::read_private;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::id::{TokenId, TransferId};
use crate::domain::link::RequestLink;
use crate::domain::people::sender_signature::SenderKey;
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// Saved request, with the secret in its link. Has no `Debug` output.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SavedRequest {
    v: V1,
    /// Id of the request.
    pub token_id: TokenId,
    /// Link of the request, with its secret.
    link: Zeroizing<String>,
    /// Creation time.
    pub created_at: Timestamp,
    /// Transfers that were downloaded.
    #[serde(default)]
    pub received: Vec<TransferId>,
    /// Transfers that were not sent through the link.
    #[serde(default)]
    pub set_aside: Vec<TransferId>,
    /// Guests whose signatures over downloaded transfers were verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signed: Vec<SignedArrival>,
}

/// Downloaded transfer with a verified signature.
#[derive(Clone, Serialize, Deserialize)]
struct SignedArrival {
    transfer_id: TransferId,
    /// Public key that has signed: `ssh-ed25519 AAAA…`.
    key: String,
}

impl SavedRequest {
    /// Creates the file's content for a new request.
    pub(super) fn new(link: &RequestLink, created_at: Timestamp) -> Self {
        let (received, set_aside, signed) = Default::default();
        Self { v: V1, token_id: link.token_id, link: link.to_text(), created_at, received, set_aside, signed }
    }

    /// Records the verified sender of a downloaded transfer.
    pub(super) fn add_sender(&mut self, transfer_id: TransferId, key: &SenderKey) {
        self.signed.retain(|signed| signed.transfer_id != transfer_id);
        self.signed.push(SignedArrival { transfer_id, key: key.to_string() });
    }

    /// Returns the verified sender of a downloaded transfer; `None` if it was not signed.
    pub(super) fn sender_of(&self, transfer_id: TransferId) -> Option<SenderKey> {
        self.signed.iter().find(|signed| signed.transfer_id == transfer_id)?.key.parse().ok()
    }

    /// Returns the verified senders of all downloaded transfers, each once.
    pub(super) fn senders(&self) -> Vec<SenderKey> {
        let mut keys: Vec<SenderKey> = Vec::new();
        for key in self.signed.iter().filter_map(|signed| signed.key.parse().ok()) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// Reads the file of a request; `None` if this user has none.
    pub(super) fn find(id: TokenId) -> Result<Option<Self>, Failure> {
        let Some(path) = path_of(id) else { return Ok(None) };
        let unreadable = |error: &dyn std::fmt::Display| {
            let message = format!("cannot read the saved request {}: {error}", path.display());
            Failure::new(Exit::LocalFile, "request_unreadable", message)
        };
        match fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| unreadable(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Reads the file of a request.
    ///
    /// # Errors
    /// Fails if this user has none: only the holder of the secret can tell what was sent through the link.
    pub(super) fn read(id: TokenId) -> Result<Self, Failure> {
        Self::find(id)?.ok_or_else(|| {
            let message = format!("the secret of request {id} is not on this machine");
            Failure::new(Exit::LocalFile, "request_not_saved", message).hint(
                "run the command where the request was created, or copy its file and the identity from there; \
                     for a request of the page, pass its key file with --identity",
            )
        })
    }

    /// Reads the file of a request. A request of this user's page is taken from its key file, if that is one of the
    /// identity files.
    ///
    /// # Errors
    /// Like [`SavedRequest::read`], and for an identity file that cannot be read.
    pub(super) fn read_or_take_from(identity_files: &[PathBuf], id: TokenId) -> Result<Self, Failure> {
        if let Some(saved) = Self::find(id)? {
            return Ok(saved);
        }
        for file in identity_files {
            let bytes = read_private(file)?;
            if let Some(link) = key_file_links(&bytes).find(|link| link.token_id == id) {
                return Ok(Self::new(&link, SystemClock.now()));
            }
        }
        Self::read(id)
    }

    /// Returns the link.
    pub(super) fn link(&self) -> Result<RequestLink, Failure> {
        self.link.parse().map_err(|error| {
            Failure::new(Exit::LocalFile, "request_unreadable", format!("the saved request is damaged: {error}"))
        })
    }

    /// Writes the file durably, with mode 0600. Returns its path.
    pub(super) fn write(&self) -> Result<PathBuf, Failure> {
        let path = path_of(self.token_id).ok_or_else(|| {
            Failure::new(Exit::LocalFile, "no_home", "no home directory to save the request in")
                .hint("set HOME or XDG_CONFIG_HOME")
        })?;
        let contents = Zeroizing::new(serde_json::to_vec(self).expect("the file has only string keys"));
        private_file::write(&path, &contents, Existing::Replaced).map_err(|error| {
            let message = format!("cannot write the saved request {}: {error}", path.display());
            Failure::new(Exit::LocalFile, "request_unwritable", message)
        })?;
        Ok(path)
    }
}

/// Returns the links in the comments of a key file, which the page writes as `# link: LINK`.
fn key_file_links(bytes: &[u8]) -> impl Iterator<Item = RequestLink> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.lines().filter_map(|line| line.strip_prefix("# link: ")?.parse().ok())
}

fn path_of(id: TokenId) -> Option<PathBuf> {
    Some(paths::requests_directory()?.join(format!("{id}.json")))
}
