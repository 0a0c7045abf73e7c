//! `backup.json`: what a folder is a backup of, and when it was made.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{BackupError, LOCK, create_private};
use crate::domain::store::to_json;
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;
use crate::server::store::file::Durability;
use crate::server::store::file::folder::{make_directory, sync_directory};

/// Name of the marker.
const MARKER: &str = "backup.json";

/// Contents of the marker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BackupMarker {
    v: V1,
    /// Name of the store, such as `file:/var/lib/sgsend`.
    source: String,
    /// Random name of the store; absent for a store of layout 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    /// Start of the latest run; absent before the first.
    started_at: Option<Timestamp>,
    /// End of the latest complete run; absent before the first.
    completed_at: Option<Timestamp>,
    /// Number of commits in the database of the backup.
    commits: Option<i64>,
    /// Number of commits in the database that is about to replace it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_commits: Option<i64>,
}

/// Locks the folder of a backup, which is created if it does not exist. Returns its marker, if it is a backup.
///
/// # Errors
/// [`BackupError::NotEmpty`], [`BackupError::InUse`], [`BackupError::Marker`].
pub(super) fn claim(target: &Path) -> Result<(Option<BackupMarker>, File), BackupError> {
    let marker = target.join(MARKER);
    if !marker.exists() && !is_empty(target).map_err(BackupError::target)? {
        return Err(BackupError::NotEmpty);
    }
    make_directory(target, Durability::Full).map_err(BackupError::target)?;
    let lock = create_private(&target.join(LOCK)).map_err(BackupError::target)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(BackupError::InUse(target.to_owned())),
        Err(TryLockError::Error(error)) => return Err(BackupError::target(error)),
    }
    // Read under the lock, since another run may have ended just now.
    match fs::read(&marker) {
        Ok(stored) => match serde_json::from_slice(&stored) {
            Ok(found) => Ok((Some(found), lock)),
            Err(source) => Err(BackupError::Marker { path: marker, source }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((None, lock)),
        Err(error) => Err(BackupError::target(error)),
    }
}

/// Returns whether a folder is missing or empty. The lock of a run that ended before it wrote its marker does not count.
fn is_empty(target: &Path) -> io::Result<bool> {
    let mut entries = match fs::read_dir(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        entries => entries?,
    };
    let ignored = [LOCK.to_owned(), draft_name(), "lost+found".to_owned()];
    entries.try_fold(true, |empty, entry| {
        let name = entry?.file_name();
        Ok(empty && ignored.iter().any(|ignored| *name == **ignored))
    })
}

fn draft_name() -> String {
    format!("{MARKER}.new")
}

impl BackupMarker {
    /// Creates the marker of a first backup.
    pub(super) fn new(source: &str, store_id: Option<String>) -> Self {
        let source = source.to_owned();
        Self { v: V1, source, store_id, started_at: None, completed_at: None, commits: None, next_commits: None }
    }

    /// Checks that the backup is of the store `name` with the id `store_id`.
    ///
    /// The id decides, since a store may move. Without an id on either side, which layout 1 does not have, the name
    /// decides.
    ///
    /// # Errors
    /// [`BackupError::OtherStore`].
    pub(super) fn of_same_store(self, name: &str, store_id: Option<&str>) -> Result<Self, BackupError> {
        let is_same = match (self.store_id.as_deref(), store_id) {
            (Some(one), Some(other)) => one == other,
            _ => self.source == name,
        };
        if !is_same {
            return Err(BackupError::OtherStore { of: self.source });
        }
        let store_id = store_id.map(str::to_owned).or(self.store_id);
        Ok(Self { source: name.to_owned(), store_id, ..self })
    }

    /// Checks that the database of the backup, which has `commits`, is one that a backup has written.
    ///
    /// # Errors
    /// [`BackupError::Used`].
    pub(super) fn check_unused(self, commits: i64) -> Result<Self, BackupError> {
        // A run may have ended between the installation of the database and its last write of the marker.
        let is_known = [self.commits, self.next_commits].contains(&Some(commits));
        if is_known { Ok(Self { commits: Some(commits), next_commits: None, ..self }) } else { Err(BackupError::Used) }
    }

    /// Returns the marker of a run that starts now.
    pub(super) fn started(self, now: Timestamp) -> Self {
        Self { started_at: Some(now), ..self }
    }

    /// Returns the marker before a database with `commits` is installed.
    pub(super) fn installing(&self, commits: i64) -> Self {
        Self { next_commits: Some(commits), ..self.clone() }
    }

    /// Returns the marker of a complete backup.
    pub(super) fn completed(self, commits: i64, now: Timestamp) -> Self {
        Self { completed_at: Some(now), commits: Some(commits), next_commits: None, ..self }
    }

    /// Writes the marker durably.
    pub(super) fn write(&self, target: &Path) -> Result<(), BackupError> {
        let draft = target.join(draft_name());
        let write = || {
            let mut file = create_private(&draft)?;
            file.write_all(&to_json(self))?;
            file.sync_all()?;
            fs::rename(&draft, target.join(MARKER))?;
            sync_directory(target, Durability::Full)
        };
        write().map_err(BackupError::target)
    }
}
