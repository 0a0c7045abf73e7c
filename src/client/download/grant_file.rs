//! Grant files of unfinished downloads, so that a retry does not count as another download.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::client::decrypt::PartRecordLocation;
use crate::client::state_files::{self, MAX_AGE, age_of};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::info::SealedInfo;
use crate::domain::crypto::link_text::WrappedKey;
use crate::domain::crypto::proof::Grant;
use crate::domain::crypto::sealed_signature::SealedSignature;
use crate::domain::id::TransferId;

/// Contents of `downloads/{id}-{server}`, mode 0600. Has no `Debug` output: the grant gives access to the ciphertext.
#[derive(Serialize, Deserialize)]
struct SavedGrant {
    v: u8,
    server: String,
    grant: Grant,
    #[serde(flatten)]
    description: SealedDescription,
}

/// Data that an unfinished download still needs after the end of its link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealedDescription {
    /// Wrapped payload key of a further link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wrapped_key: Option<WrappedKey>,
    /// Encrypted info block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) info: Option<SealedInfo>,
    /// Encrypted signature of the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<SealedSignature>,
}

/// Grant of an earlier attempt, with what is needed to use it.
pub struct EarlierGrant {
    pub(super) grant: Grant,
    pub(super) description: SealedDescription,
}

/// File with the grant of one download; stores nothing for a user without a state directory.
pub struct GrantFile {
    file: Option<PathBuf>,
    server: String,
}

impl GrantFile {
    /// Returns the file for the grant of transfer `id` at `server`, in the directory `folder`.
    #[must_use]
    pub fn new(folder: Option<&Path>, server: &BaseUrl, id: TransferId) -> Self {
        // Transfers of different servers may have the same id.
        let server = server.to_string();
        let name = format!("{id}-{}", &Sha256::of(server.as_bytes()).to_string()[..8]);
        Self { file: folder.map(|folder| folder.join(name)), server }
    }

    /// Loads the grant of an earlier attempt at the same server. Another server must not learn the grant.
    #[must_use]
    pub fn load(&self) -> Option<EarlierGrant> {
        let file = self.file.as_ref()?;
        let age = age_of(file)?;
        let saved: SavedGrant = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        if age > MAX_AGE || saved.v != 1 {
            self.forget();
            return None;
        }
        let earlier = EarlierGrant { grant: saved.grant, description: saved.description };
        (saved.server == self.server).then_some(earlier)
    }

    /// Returns the state file's location for the partial download of this transfer.
    pub(super) fn part_record(&self) -> Option<PartRecordLocation> {
        let path = self.file.as_ref()?.with_extension("part");
        Some(PartRecordLocation { path, server: self.server.clone() })
    }

    /// Returns whether a partial download exists that another attempt can resume.
    #[must_use]
    pub fn has_partial(&self) -> bool {
        self.part_record().is_some_and(|location| location.path.exists())
    }

    /// Removes the partial download and its state file.
    pub(super) fn discard_partial(&self) {
        if let Some(location) = self.part_record() {
            location.discard();
        }
    }

    /// Returns whether the directory for grants is writable, before the server issues a grant. Blocks.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let Some(parent) = self.file.as_deref().and_then(Path::parent) else { return false };
        state_files::make_private(parent).and_then(|()| tempfile::tempfile_in(parent)).is_ok()
    }

    /// Saves a grant durably for later attempts, with what they need of the description.
    pub(super) fn save(&self, grant: &Grant, description: &SealedDescription) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let parent = file.parent().unwrap_or(Path::new("."));
        remove_stale(parent);
        state_files::make_private(parent)?;
        let (server, grant, description) = (self.server.clone(), grant.clone(), description.clone());
        let saved = SavedGrant { v: 1, server, grant, description };
        // Atomic replacement. A temporary file has mode 0600.
        let mut temporary = NamedTempFile::new_in(parent)?;
        temporary.write_all(&serde_json::to_vec(&saved)?)?;
        // Synced first: a grant lost in a power failure would make the retry count as another download.
        temporary.as_file().sync_all()?;
        temporary.persist(file).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the grant and the partial download, once the download is done or the grant has expired.
    pub fn forget(&self) {
        if let Some(file) = &self.file {
            // The file may not exist.
            let _ = fs::remove_file(file);
        }
        self.discard_partial();
    }
}

/// Removes grants and partial downloads that are too old to be used. Ignores errors.
pub(in crate::client) fn remove_stale(folder: &Path) {
    let records = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let records = records.filter(|path| path.extension().is_some_and(|extension| extension == "part"));
    for path in records.filter(|path| age_of(path).is_some_and(|age| age > MAX_AGE)) {
        PartRecordLocation { path, server: String::new() }.discard();
    }
    state_files::remove_old(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_loaded_only_for_the_same_server() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("downloads");
        let id = TransferId::random();
        let at = |server: &str| GrantFile::new(Some(&folder), &server.parse().unwrap(), id);
        let grant = Grant::random();
        assert!(at("https://a.example").load().is_none());
        let whole = SealedDescription {
            wrapped_key: Some(WrappedKey::from_bytes(&[7; 60])),
            info: Some(SealedInfo::example()),
            signature: Some(SealedSignature::example()),
        };
        for description in [SealedDescription::default(), whole] {
            at("https://a.example").save(&grant, &description).unwrap();
            let earlier = at("https://a.example").load().unwrap();
            assert_eq!(earlier.grant.digest(), grant.digest());
            assert_eq!(earlier.description, description);
        }
        assert!(at("https://b.example").load().is_none());
        at("https://a.example").forget();
        assert!(at("https://a.example").load().is_none());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            at("https://a.example").save(&grant, &SealedDescription::default()).unwrap();
            let entry = fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
