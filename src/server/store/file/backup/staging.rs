//! Backup of a bucket: collects the new records and payloads in the folder `staging` of the backup.
//!
//! The folder is a store of its own while it is filled. When it is complete, its payloads are linked into the backup,
//! and its database replaces that of the backup, as in the backup of a folder. After an interruption, the next run takes
//! over the finished payloads only.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::FileStore;
use super::super::folder::{Folder, length, make_directory};
use super::{BackupError, BackupJob, BackupReport, ClaimedFolder, Durability, PAYLOADS};
use crate::domain::id::PayloadId;
use crate::domain::maintenance::copy::{CopiedInUse, KnownPayloads};
use crate::domain::store::StoreError;

/// Name of the folder.
const STAGING: &str = "staging";

/// Folder in which the records and the new payloads of a backup are collected.
pub(in crate::server) struct Staging {
    claim: ClaimedFolder,
    folder: PathBuf,
}

/// Payloads of the last backup, and the folder into which they are linked.
pub(in crate::server) struct LinkedPayloads {
    backup: Folder,
    staging: Folder,
}

impl Staging {
    /// Locks the folder `target` for a backup of the store `name` with the id `store_id`. Blocks.
    ///
    /// # Errors
    /// [`BackupError`] if the folder contains anything else, or is in use.
    pub(in crate::server) fn begin(target: &Path, name: &str, store_id: Option<String>) -> Result<Self, BackupError> {
        let claim = ClaimedFolder::of(target, name, store_id)?;
        let staging = Self { claim, folder: target.join(STAGING) };
        staging.take_over(target).map_err(BackupError::target)?;
        remove(&staging.folder).map_err(BackupError::target)?;
        Ok(staging)
    }

    /// Opens the empty store in the folder. Blocks.
    ///
    /// # Errors
    /// [`BackupError::Folder`].
    pub(in crate::server) fn open(&self) -> Result<FileStore, BackupError> {
        Ok(FileStore::open(&self.folder, Durability::Full)?)
    }

    /// Returns the payloads of the last backup in `target`, to be linked into the folder.
    pub(in crate::server) fn known_payloads(&self, target: &Path) -> LinkedPayloads {
        let payloads = |folder: &Path| Folder::new(folder.join(PAYLOADS), Durability::Full);
        LinkedPayloads { backup: payloads(target), staging: payloads(&self.folder) }
    }

    /// Makes the content of the folder, whose store is closed, the new backup. Blocks.
    ///
    /// # Errors
    /// [`BackupError`]. The last backup stays usable.
    pub(in crate::server) fn install(
        self,
        job: BackupJob<'_>,
        copied: CopiedInUse,
    ) -> Result<BackupReport, BackupError> {
        let Self { claim, folder } = self;
        let report = claim.run(BackupJob { source: &folder, link: true, ..job })?;
        remove(&folder).map_err(BackupError::target)?;
        let CopiedInUse { payloads_copied, bytes_copied, lost, findings } = copied;
        Ok(BackupReport { payloads_copied, bytes_copied, lost, findings: Some(findings), ..report })
    }

    /// Moves the finished payloads that an interrupted run has left to the backup in `target`.
    fn take_over(&self, target: &Path) -> io::Result<()> {
        let LinkedPayloads { backup, staging } = self.known_payloads(target);
        if !staging.path().exists() {
            return Ok(());
        }
        for payload in staging.list(None, usize::MAX)?.into_iter().filter(|payload| payload.finished) {
            make_directory(&backup.shard(payload.id), Durability::Full)?;
            fs::rename(staging.finished(payload.id), backup.finished(payload.id))?;
            backup.sync(payload.id)?;
        }
        Ok(())
    }
}

impl KnownPayloads for LinkedPayloads {
    fn add(&self, id: PayloadId, size: u64) -> Result<bool, StoreError> {
        let known = self.backup.finished(id);
        if length(&known)? != Some(size) {
            return Ok(false);
        }
        // After a crash, the next run starts with an empty folder.
        make_directory(&self.staging.shard(id), Durability::None)?;
        fs::hard_link(known, self.staging.finished(id))?;
        Ok(true)
    }
}

/// Removes a folder with its content, if it exists. Other links to its payloads stay.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
