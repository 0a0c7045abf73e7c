//! Directory of payloads: file paths, listing and durable directory entries.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use super::Durability;
use crate::domain::id::PayloadId;
use crate::domain::limits::free_space::FreeSpace;
use crate::domain::store::PayloadObjects;

/// Returns the free and total space of the disk that holds `path`.
///
/// Space reserved for the superuser does not count as free.
pub(super) fn free_space_at(path: &Path) -> io::Result<FreeSpace> {
    let disk = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok(FreeSpace { free: bytes(disk.f_bavail), total: bytes(disk.f_blocks) })
}

/// Returns whether files can be created on the disk that holds `path`. File systems without a table of inodes report 0
/// of 0.
pub(super) fn has_free_inodes(path: &Path) -> bool {
    rustix::fs::statvfs(path).map_or(true, |disk| disk.f_files == 0 || disk.f_favail > 0)
}

/// Directory of payload files.
pub(super) struct Folder {
    path: PathBuf,
    durability: Durability,
}

impl Folder {
    /// Creates a handle for the directory of payloads at `path`.
    pub(super) fn new(path: PathBuf, durability: Durability) -> Self {
        Self { path, durability }
    }

    /// Returns the path of the directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the durability of writes in the directory.
    pub(super) fn durability(&self) -> Durability {
        self.durability
    }

    /// Returns the path of a payload during its upload.
    pub(super) fn part(&self, id: PayloadId) -> PathBuf {
        self.shard(id).join(format!("{id}.part"))
    }

    /// Returns the path of a finished payload.
    pub(super) fn finished(&self, id: PayloadId) -> PathBuf {
        self.shard(id).join(format!("{id}.enc"))
    }

    /// Returns the subdirectory of a payload, named by the first two hex digits of its id.
    ///
    /// Directories become slow with many entries.
    pub(super) fn shard(&self, id: PayloadId) -> PathBuf {
        self.path.join(&id.digits()[..2])
    }

    /// Returns the number of received bytes of a payload.
    pub(super) fn received(&self, id: PayloadId) -> io::Result<u64> {
        // Checks for the finished file twice, since it may replace the partial file between the first two checks.
        for path in [self.finished(id), self.part(id), self.finished(id)] {
            if let Some(length) = length(&path)? {
                return Ok(length);
            }
        }
        Ok(0)
    }

    /// Lists at most `limit` payloads after `after`, in the order of their ids.
    pub(super) fn list(&self, after: Option<PayloadId>, limit: usize) -> io::Result<Vec<PayloadObjects>> {
        let first = after.map(|id| self.shard(id));
        let mut shards: Vec<PathBuf> = entries(&self.path)?.filter(|shard| Some(shard) >= first.as_ref()).collect();
        shards.sort();
        let mut found = Vec::new();
        for shard in shards.into_iter().filter(|path| path.is_dir()) {
            let mut payloads = BTreeMap::new();
            for file in entries(&shard)? {
                let Some((id, finished)) = payload_of(&file) else { continue };
                let objects = payloads.entry(id).or_insert(PayloadObjects { id, finished: false, unfinished: false });
                if finished { objects.finished = true } else { objects.unfinished = true }
            }
            found.extend(payloads.into_values().filter(|objects| Some(objects.id) > after));
            if found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Syncs the directory entries of a payload's subdirectory, and the entry of the subdirectory.
    pub(super) fn sync(&self, id: PayloadId) -> io::Result<()> {
        sync_directory(&self.shard(id), self.durability)?;
        sync_directory(&self.path, self.durability)
    }
}

/// Returns the paths of a directory's entries.
fn entries(directory: &Path) -> io::Result<impl Iterator<Item = PathBuf>> {
    let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.into_iter().map(|entry| entry.path()))
}

/// Returns the id of a payload file and whether the payload is finished. Returns `None` for any other file.
fn payload_of(file: &Path) -> Option<(PayloadId, bool)> {
    let finished = match file.extension()?.to_str()? {
        "enc" => true,
        "part" => false,
        _ => return None,
    };
    Some((file.file_stem()?.to_str()?.parse().ok()?, finished))
}

/// Returns the length of a file; `None` if the file does not exist.
pub(super) fn length(path: &Path) -> io::Result<Option<u64>> {
    optional(fs::metadata(path)).map(|found| found.map(|found| found.len()))
}

/// Returns the number of hard links to an open file; 0 once it has been removed.
#[cfg(unix)]
pub(super) fn hard_links(file: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(file)
}

/// Returns 1: on this system an open file cannot be removed.
#[cfg(not(unix))]
pub(super) fn hard_links(_: &fs::Metadata) -> u64 {
    1
}

/// Turns a "not found" error into `None`.
pub(super) fn optional<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates a directory and its missing parents, durably and with access for their owner only.
pub(super) fn make_directory(path: &Path, durability: Durability) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let Some(parent) = path.parent() else { return Ok(()) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    match builder.create(path) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound && !parent.exists() => {
            make_directory(parent, durability)?;
            return make_directory(path, durability);
        }
        Err(taken) if !path.is_dir() => return Err(taken),
        _ => {}
    }
    sync_directory(parent, durability)
}

/// Syncs the entries of a directory, which only Unix supports.
pub(super) fn sync_directory(path: &Path, durability: Durability) -> io::Result<()> {
    if cfg!(unix) && durability == Durability::Full { File::open(path)?.sync_all() } else { Ok(()) }
}
