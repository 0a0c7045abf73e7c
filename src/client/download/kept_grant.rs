//! The grant of a download that has not ended well: kept, so that another try is not another download.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::client::decrypt::PartialPlace;
use crate::client::leftovers::{self, OLDEST, age_of};
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::proof::Grant;
use crate::domain::id::TransferId;

/// `downloads/{id}-{server}`, mode 0600. Has no `Debug` output: the grant lets its holder fetch the ciphertext.
#[derive(Serialize, Deserialize)]
struct Kept {
    v: u8,
    server: String,
    grant: Grant,
}

/// Where the grant of one download is kept; nowhere, for a user without a state directory.
pub struct KeptGrant {
    file: Option<PathBuf>,
    server: String,
}

impl KeptGrant {
    /// The place for the grant of the transfer `id` of `server`, in `folder`.
    #[must_use]
    pub fn new(folder: Option<&Path>, server: &BaseUrl, id: TransferId) -> Self {
        // Another server may use the same id.
        let server = server.to_string();
        let name = format!("{id}-{}", &Sha256::of(server.as_bytes()).to_string()[..8]);
        Self { file: folder.map(|folder| folder.join(name)), server }
    }

    /// The grant of an earlier try, if it was one at the same server. Another server must not learn it.
    #[must_use]
    pub fn load(&self) -> Option<Grant> {
        let file = self.file.as_ref()?;
        let age = age_of(file)?;
        let kept: Kept = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        if age > OLDEST || kept.v != 1 {
            self.forget();
            return None;
        }
        (kept.server == self.server).then_some(kept.grant)
    }

    /// Where it is recorded what has come of the payload, for this server's transfer.
    pub(super) fn partial(&self) -> Option<PartialPlace> {
        let path = self.file.as_ref()?.with_extension("part");
        Some(PartialPlace { path, server: self.server.clone() })
    }

    /// Whether something has come of the payload that another try can go on with.
    #[must_use]
    pub fn has_partial(&self) -> bool {
        self.partial().is_some_and(|place| place.path.exists())
    }

    /// Removes what has come of the payload.
    pub(super) fn discard_partial(&self) {
        if let Some(place) = self.partial() {
            place.discard();
        }
    }

    /// Whether a grant could be kept for another try, as far as can be told before there is one. Blocks.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let Some(parent) = self.file.as_deref().and_then(Path::parent) else { return false };
        leftovers::make_private(parent).and_then(|()| tempfile::tempfile_in(parent)).is_ok()
    }

    /// Keeps a grant for another try.
    pub(super) fn keep(&self, grant: &Grant) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let parent = file.parent().unwrap_or(Path::new("."));
        discard_old(parent);
        leftovers::prepare(parent)?;
        let kept = Kept { v: 1, server: self.server.clone(), grant: grant.clone() };
        // Whole or not at all. A temporary file has mode 0600.
        let mut draft = NamedTempFile::new_in(parent)?;
        draft.write_all(&serde_json::to_vec(&kept)?)?;
        // A download that is counted under a grant that a power loss takes away would be counted again.
        draft.as_file().sync_all()?;
        draft.persist(file).map_err(|error| error.error)?;
        Ok(())
    }

    /// Forgets the grant: the download is done, or the grant has run out.
    pub fn forget(&self) {
        if let Some(file) = &self.file {
            // It may never have been there.
            let _ = fs::remove_file(file);
        }
        self.discard_partial();
    }
}

/// Removes unfinished files that nobody will go on with any more.
fn discard_old(folder: &Path) {
    let records = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let records = records.filter(|path| path.extension().is_some_and(|extension| extension == "part"));
    for path in records.filter(|path| age_of(path).is_some_and(|age| age > OLDEST)) {
        PartialPlace { path, server: String::new() }.discard();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_found_again_by_the_same_server_only() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("downloads");
        let id = TransferId::random();
        let at = |server: &str| KeptGrant::new(Some(&folder), &server.parse().unwrap(), id);
        let grant = Grant::random();
        assert!(at("https://a.example").load().is_none());
        at("https://a.example").keep(&grant).unwrap();
        assert_eq!(at("https://a.example").load().unwrap().digest(), grant.digest());
        assert!(at("https://b.example").load().is_none());
        at("https://a.example").forget();
        assert!(at("https://a.example").load().is_none());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            at("https://a.example").keep(&grant).unwrap();
            let kept = fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
            let mode = kept.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
