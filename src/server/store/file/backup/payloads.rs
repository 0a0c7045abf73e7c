//! Copies payloads that the backup lacks, and removes those that the store no longer has.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use super::super::Durability;
use super::super::folder::{length, make_directory, optional, sync_directory};
use super::snapshot::{self, Snapshot};
use super::{Backup, BackupError, RECORDS, create_private, remove_if_present};
use crate::domain::id::PayloadId;

/// Folder of payloads that the store no longer has.
const KEPT: &str = "kept";
/// Number of payloads per list.
const PAGE_SIZE: usize = 1_000;
/// Bytes per read.
const BLOCK: usize = 1 << 20;
/// Passes over all payloads at most before the database is copied.
const MAX_PASSES: u32 = 3;

impl Backup<'_> {
    /// Copies all finished payloads of the store, in passes until there is little new.
    pub(super) fn copy_all(&mut self) -> Result<(), BackupError> {
        for _ in 0..MAX_PASSES {
            let (mut after, mut copied) = (None, 0);
            loop {
                let page = self.from.list(after, PAGE_SIZE).map_err(BackupError::source)?;
                for payload in page.iter().filter(|payload| payload.finished) {
                    copied += u32::from(self.copy(payload.id)?);
                }
                after = match page.last() {
                    Some(last) => Some(last.id),
                    None => break,
                };
            }
            if copied == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Copies the payloads of `snapshot` that the backup lacks. Returns `false` if one was removed since the snapshot.
    pub(super) fn copy_missing(&mut self, snapshot: &Snapshot) -> Result<bool, BackupError> {
        self.report.lost = 0;
        for (id, (transfer, size)) in &snapshot.downloadable {
            if length(&self.to.finished(*id)).map_err(BackupError::target)? == Some(*size) {
                continue;
            }
            self.copy(*id)?;
            if length(&self.to.finished(*id)).map_err(BackupError::target)? == Some(*size) {
                continue;
            }
            if !snapshot::is_downloadable(&self.job.source.join(RECORDS), *transfer)? {
                return Ok(false);
            }
            // The store itself lacks it, which its check reports.
            self.report.lost += 1;
        }
        Ok(true)
    }

    /// Copies or links a payload that the backup lacks, durably. Returns whether it did.
    fn copy(&mut self, id: PayloadId) -> Result<bool, BackupError> {
        self.check_stop()?;
        let Some(source) = optional(File::open(self.from.finished(id))).map_err(BackupError::source)? else {
            return Ok(false);
        };
        let size = source.metadata().map_err(BackupError::source)?.len();
        let target = self.to.finished(id);
        if length(&target).map_err(BackupError::target)? == Some(size) {
            return Ok(false);
        }
        make_directory(&self.to.shard(id), Durability::Full).map_err(BackupError::target)?;
        let draft = target.with_extension("new");
        if self.job.link {
            remove_if_present(&draft).map_err(BackupError::target)?;
            fs::hard_link(self.from.finished(id), &draft).map_err(BackupError::target)?;
        } else if self.copy_bytes(source, &draft)? != size {
            // It was removed meanwhile, which also empties the file.
            remove_if_present(&draft).map_err(BackupError::target)?;
            return Ok(false);
        }
        fs::rename(&draft, &target).map_err(BackupError::target)?;
        self.to.sync(id).map_err(BackupError::target)?;
        self.report.payloads_copied += 1;
        Ok(true)
    }

    fn copy_bytes(&mut self, mut source: File, draft: &Path) -> Result<u64, BackupError> {
        let mut copy = create_private(draft).map_err(BackupError::target)?;
        let (mut block, mut copied) = (vec![0; BLOCK], 0);
        loop {
            self.check_stop()?;
            let length = source.read(&mut block).map_err(BackupError::source)?;
            if length == 0 {
                break;
            }
            copy.write_all(&block[..length]).map_err(BackupError::target)?;
            copied += length as u64;
            self.report.bytes_copied += length as u64;
            self.job.watch.transferred(self.report.bytes_copied);
        }
        copy.sync_all().map_err(BackupError::target)?;
        Ok(copied)
    }

    /// Removes the payloads that the installed database does not need, or moves them aside.
    ///
    /// Removes drafts of earlier runs, too.
    pub(super) fn remove_others(&mut self, snapshot: &Snapshot) -> Result<(), BackupError> {
        for shard in paths(self.to.path()).map_err(BackupError::target)? {
            let mut changed = false;
            for file in paths(&shard).map_err(BackupError::target)? {
                let id: Option<PayloadId> =
                    file.file_stem().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
                match file.extension().and_then(|extension| extension.to_str()) {
                    Some("enc") if id.is_some_and(|id| snapshot.needs(id)) => continue,
                    Some("enc") => self.remove_or_keep(&file).map_err(BackupError::target)?,
                    Some("new") => remove_if_present(&file).map_err(BackupError::target)?,
                    _ => continue,
                }
                changed = true;
            }
            if changed {
                sync_directory(&shard, Durability::Full).map_err(BackupError::target)?;
            }
        }
        Ok(())
    }

    fn remove_or_keep(&mut self, file: &Path) -> io::Result<()> {
        self.report.payloads_removed += 1;
        if !self.job.keep {
            return fs::remove_file(file);
        }
        let kept = self.job.target.join(KEPT);
        make_directory(&kept, Durability::Full)?;
        fs::rename(file, kept.join(file.file_name().unwrap_or_default()))?;
        sync_directory(&kept, Durability::Full)
    }
}

/// Returns the paths in a folder; none if it is not a folder.
fn paths(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}
