//! Uploads of this user for requests of others: what is needed to delete them again.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::paths;
use super::private_file::{self, Existing};
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// `guest-uploads/{transfer_id}.json` in the state directory, until the transfer expires.
///
/// The file has mode 0600. It has the guest proof, with which only the request link can delete the transfer. The link itself is not stored.
pub(crate) struct GuestUploads {
    folder: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct GuestUploadRecord {
    v: V1,
    /// Guest proof, as 64 hex digits.
    proof: String,
    expires_at: Timestamp,
}

impl GuestUploads {
    /// Returns the uploads of this user.
    pub(crate) fn of_user() -> Self {
        Self { folder: paths::guest_uploads_directory() }
    }

    /// Records an upload, and removes the records of expired ones.
    ///
    /// # Errors
    /// The error of writing the file.
    pub(crate) fn add(
        &self,
        id: TransferId,
        proof: &GuestProof,
        (expires_at, now): (Timestamp, Timestamp),
    ) -> std::io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        remove_expired(folder, now);
        let upload = GuestUploadRecord { v: V1, proof: proof.to_text().to_string(), expires_at };
        let contents = serde_json::to_vec(&upload).expect("the record has only string keys");
        private_file::write(&path_of(folder, id), &contents, Existing::Replaced)
    }

    /// Returns the proof of an upload; `None` if this user has no record of it.
    pub(crate) fn proof_of(&self, id: TransferId) -> Option<GuestProof> {
        read(&path_of(self.folder.as_ref()?, id))?.proof.parse().ok()
    }

    /// Removes the record of an upload.
    pub(crate) fn forget(&self, id: TransferId) {
        if let Some(folder) = &self.folder {
            // The file may not exist.
            let _ = fs::remove_file(path_of(folder, id));
        }
    }
}

fn path_of(folder: &Path, id: TransferId) -> PathBuf {
    folder.join(format!("{id}.json"))
}

fn read(path: &Path) -> Option<GuestUploadRecord> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Removes the records of expired transfers. Best effort: they are of no use to anybody.
fn remove_expired(folder: &Path, now: Timestamp) {
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    for file in files.filter(|file| read(file).is_some_and(|upload| upload.expires_at <= now)) {
        let _ = fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_kept_until_its_transfer_expires_or_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let uploads = GuestUploads { folder: Some(folder.path().join("guest-uploads")) };
        let at = Timestamp::from_millis;
        let (first, second) = (TransferId::random(), TransferId::random());
        let proof = GuestProof::random();
        assert!(uploads.proof_of(first).is_none());
        uploads.add(first, &proof, (at(10), at(1))).unwrap();
        assert_eq!(uploads.proof_of(first).unwrap().digest(), proof.digest());
        uploads.add(second, &GuestProof::random(), (at(20), at(10))).unwrap();
        assert!(uploads.proof_of(first).is_none() && uploads.proof_of(second).is_some());
        uploads.forget(second);
        assert!(uploads.proof_of(second).is_none());
    }
}
