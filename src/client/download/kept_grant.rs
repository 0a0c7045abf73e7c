//! The grant of a download that has not ended well: kept, so that another try is not another download.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::id::TransferId;
use crate::domain::proof::Grant;
use crate::domain::root::ServerRoot;

/// What is older has run out on the server, or nobody will ask for it any more.
const OLDEST: Duration = Duration::from_hours(24 * 7);

/// `downloads/{id}`, mode 0600. Has no `Debug` output: the grant lets its holder fetch the ciphertext.
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
    pub fn new(folder: Option<&Path>, server: &ServerRoot, id: TransferId) -> Self {
        Self { file: folder.map(|folder| folder.join(id.to_string())), server: server.to_string() }
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

    /// Keeps a grant for another try.
    pub(super) fn keep(&self, grant: &Grant) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut folder = DirBuilder::new();
        folder.recursive(true);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
            folder.mode(0o700);
            options.mode(0o600);
        }
        let parent = file.parent().unwrap_or(Path::new("."));
        folder.create(parent)?;
        remove_old(parent);
        let kept = Kept { v: 1, server: self.server.clone(), grant: grant.clone() };
        options.open(file)?.write_all(&serde_json::to_vec(&kept)?)
    }

    /// Forgets the grant: the download is done, or the grant has run out.
    pub(super) fn forget(&self) {
        if let Some(file) = &self.file {
            // It may never have been there.
            let _ = fs::remove_file(file);
        }
    }
}

/// Removes what earlier downloads left that nobody has gone on with.
fn remove_old(folder: &Path) {
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    for file in files.filter(|file| age_of(file).is_some_and(|age| age > OLDEST)) {
        // Another process may have been faster.
        let _ = fs::remove_file(file);
    }
}

fn age_of(file: &Path) -> Option<Duration> {
    Some(fs::metadata(file).ok()?.modified().ok()?.elapsed().unwrap_or_default())
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
            let mode = fs::metadata(folder.join(id.to_string())).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
