//! Backup of a `file:` store into a folder, while services use the store.
//!
//! The folder is a store of its own at every point in time after the first backup. Payloads never change, so they are
//! copied first; then the database is copied in one read transaction; then the payloads that were completed meanwhile.
//! If one of them was removed since, the database is copied again. The new database replaces the old one only when all
//! of its payloads are durable, and only then are payloads removed that it no longer needs. A backup that ends anywhere
//! is continued by the next.

mod error;
mod marker;
mod payloads;
mod snapshot;
mod staging;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

pub use error::BackupError;
pub(in crate::server) use staging::Staging;

use super::connection;
use super::folder::{Folder, make_directory, sync_directory};
use super::{Durability, is_open};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::maintenance::copy::CopyObserver;
use marker::BackupMarker;
use snapshot::Snapshot;

/// Name of the database in a store.
const RECORDS: &str = "records.sqlite";
/// Name of a database that is being copied.
const NEW_RECORDS: &str = "records.new";
/// Name of the folder of payloads in a store.
const PAYLOADS: &str = "payloads";
/// Name of the file that a running backup locks.
const LOCK: &str = "backup.lock";
/// Number of database copies at most, if payloads are removed while they are copied.
const MAX_SNAPSHOTS: u32 = 10;

/// A backup to be made.
#[derive(Clone, Copy)]
pub(in crate::server) struct BackupJob<'a> {
    /// Folder of the store.
    pub source: &'a Path,
    /// Name of the store, as in its copies.
    pub name: &'a str,
    /// Folder of the backup.
    pub target: &'a Path,
    /// Whether payloads that the store no longer has are moved into the folder `kept`, instead of removed.
    pub keep: bool,
    /// Whether payloads are linked instead of copied: the folder of the store is one of the backup.
    pub link: bool,
    /// Ends the backup, to be continued by the next.
    pub stop: &'a AtomicBool,
    /// Progress listener.
    pub watch: &'a dyn CopyObserver,
}

/// Content of a backup, and the work of its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    /// Number of records.
    pub records: u64,
    /// Number of payloads.
    pub payloads: u64,
    /// Their encrypted size in bytes.
    pub bytes: u64,
    /// Number of payloads that this run copied.
    pub payloads_copied: u64,
    /// Encrypted bytes that this run copied.
    pub bytes_copied: u64,
    /// Number of payloads that this run removed, or moved aside, since the store no longer has them.
    pub payloads_removed: u64,
    /// Number of unfinished uploads, which start again after a restore.
    pub pending: u64,
    /// Number of payloads that the store itself has lost.
    pub lost: u64,
    /// Number of findings that were not repaired; `None` for a folder.
    ///
    /// Records of a folder are of one point in time, and not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<u64>,
}

/// A running backup, which holds the lock of its folder.
struct Backup<'a> {
    job: BackupJob<'a>,
    from: Folder,
    to: Folder,
    report: BackupReport,
    _lock: File,
}

/// Makes a backup, or continues one. Blocks.
///
/// # Errors
/// [`BackupError`]. The backup that the folder contained before stays usable.
pub(in crate::server) fn run(job: BackupJob<'_>) -> Result<BackupReport, BackupError> {
    connection::check_layout(&job.source.join(RECORDS)).map_err(BackupError::Source)?;
    let header = snapshot::header(&job.source.join(RECORDS))?;
    let claim = ClaimedFolder::of(job.target, job.name, header.store_id)?;
    claim.run(job)
}

/// Folder of a backup that this run has locked and checked.
struct ClaimedFolder {
    marker: BackupMarker,
    lock: File,
}

impl ClaimedFolder {
    /// Locks the folder `target` for a backup of the store `name` with the id `store_id`.
    ///
    /// # Errors
    /// [`BackupError`] if the folder contains anything else, or is in use.
    fn of(target: &Path, name: &str, store_id: Option<String>) -> Result<Self, BackupError> {
        let (found, lock) = marker::claim(target)?;
        let mut marker = match found {
            Some(found) => found.of_same_store(name, store_id.as_deref())?,
            None => BackupMarker::new(name, store_id),
        };
        if target.join(RECORDS).exists() {
            if is_open(target)? {
                return Err(BackupError::InUse(target.to_owned()));
            }
            marker = marker.check_unused(snapshot::close(&target.join(RECORDS))?)?;
        }
        let marker = marker.started(SystemClock.now());
        marker.write(target)?;
        make_directory(&target.join(PAYLOADS), Durability::Full).map_err(BackupError::target)?;
        Ok(Self { marker, lock })
    }

    /// Copies what the backup lacks, and installs the new database.
    fn run(self, job: BackupJob<'_>) -> Result<BackupReport, BackupError> {
        let payloads = |folder: &Path| Folder::new(folder.join(PAYLOADS), Durability::Full);
        let (from, to) = (payloads(job.source), payloads(job.target));
        let mut backup = Backup { job, from, to, report: BackupReport::default(), _lock: self.lock };
        backup.run(self.marker)
    }
}

impl Backup<'_> {
    fn run(&mut self, marker: BackupMarker) -> Result<BackupReport, BackupError> {
        self.job.watch.begin(snapshot::bytes_stored(&self.job.source.join(RECORDS)));
        self.copy_all()?;
        let snapshot = self.consistent_snapshot()?;
        self.install(&marker, &snapshot)?;
        self.remove_others(&snapshot)?;
        let marker = marker.completed(snapshot.commits, SystemClock.now());
        marker.write(self.job.target)?;
        let report = &mut self.report;
        (report.records, report.pending) = (snapshot.records, snapshot.pending.len() as u64);
        report.payloads = snapshot.downloadable.len() as u64 - report.lost;
        report.bytes = snapshot.downloadable.values().map(|(_, size)| size).sum();
        Ok(self.report)
    }

    /// Copies the database until all payloads of the copy are in the backup.
    fn consistent_snapshot(&mut self) -> Result<Snapshot, BackupError> {
        for _ in 0..MAX_SNAPSHOTS {
            self.check_stop()?;
            let snapshot = Snapshot::take(&self.job.source.join(RECORDS), &self.job.target.join(NEW_RECORDS))?;
            if self.copy_missing(&snapshot)? {
                return Ok(snapshot);
            }
        }
        Err(BackupError::Busy)
    }

    /// Replaces the database of the backup. Its payloads are durable.
    fn install(&self, marker: &BackupMarker, snapshot: &Snapshot) -> Result<(), BackupError> {
        let target = self.job.target;
        marker.installing(snapshot.commits).write(target)?;
        fs::rename(target.join(NEW_RECORDS), target.join(RECORDS)).map_err(BackupError::target)?;
        sync_directory(target, Durability::Full).map_err(BackupError::target)
    }

    fn check_stop(&self) -> Result<(), BackupError> {
        if self.job.stop.load(Ordering::Relaxed) { Err(BackupError::Stopped) } else { Ok(()) }
    }
}

/// Creates a file with access for its owner only.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Removes a file, if it exists.
fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
