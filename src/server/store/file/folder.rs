//! The directory of payloads: where each is, and that what is done there lasts.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use super::Durability;
use crate::domain::id::TransferId;
use crate::domain::limits::free_space::FreeSpace;
use crate::domain::store::Held;

/// How much room there is on the disk of `path`, for whoever is not its superuser.
pub(super) fn room_at(path: &Path) -> io::Result<FreeSpace> {
    let disk = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok(FreeSpace { free: bytes(disk.f_bavail), total: bytes(disk.f_blocks) })
}

/// The directory of payloads.
pub(super) struct Folder {
    path: PathBuf,
    durability: Durability,
}

impl Folder {
    /// The directory of payloads at `path`.
    pub(super) fn new(path: PathBuf, durability: Durability) -> Self {
        Self { path, durability }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What writes in it survive.
    pub(super) fn durability(&self) -> Durability {
        self.durability
    }

    /// Where a payload is while it is uploaded.
    pub(super) fn part(&self, id: TransferId) -> PathBuf {
        self.shard(id).join(format!("{id}.part"))
    }

    /// Where a payload is when it is finished.
    pub(super) fn finished(&self, id: TransferId) -> PathBuf {
        self.shard(id).join(format!("{id}.enc"))
    }

    /// The directory of a payload: one for the first two hex digits, since directories grow slow with many entries.
    pub(super) fn shard(&self, id: TransferId) -> PathBuf {
        self.path.join(&id.to_string()[..2])
    }

    /// How much of a payload is there.
    pub(super) fn received(&self, id: TransferId) -> io::Result<u64> {
        // The finished one is looked for twice: finishing may rename the other one meanwhile.
        for path in [self.finished(id), self.part(id), self.finished(id)] {
            if let Some(length) = length(&path)? {
                return Ok(length);
            }
        }
        Ok(0)
    }

    /// What there is of payloads behind `after`, in the order of their ids.
    pub(super) fn held(&self, after: Option<TransferId>, limit: usize) -> io::Result<Vec<Held>> {
        let first = after.map(|id| self.shard(id));
        let mut shards: Vec<PathBuf> = entries(&self.path)?.filter(|shard| Some(shard) >= first.as_ref()).collect();
        shards.sort();
        let mut found = Vec::new();
        for shard in shards.into_iter().filter(|path| path.is_dir()) {
            let mut of_shard = BTreeMap::new();
            for file in entries(&shard)? {
                let Some((id, finished)) = payload_of(&file) else { continue };
                let held = of_shard.entry(id).or_insert(Held { id, whole: false, unfinished: false });
                if finished { held.whole = true } else { held.unfinished = true }
            }
            found.extend(of_shard.into_values().filter(|held| Some(held.id) > after));
            if found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Makes names in a payload's directory durable, and the directory's own.
    pub(super) fn sync(&self, id: TransferId) -> io::Result<()> {
        sync_directory(&self.shard(id), self.durability)?;
        sync_directory(&self.path, self.durability)
    }
}

/// The paths in a directory.
fn entries(directory: &Path) -> io::Result<impl Iterator<Item = PathBuf>> {
    let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.into_iter().map(|entry| entry.path()))
}

/// Whose payload a file is, and whether it is finished; `None` for any other file.
fn payload_of(file: &Path) -> Option<(TransferId, bool)> {
    let finished = match file.extension()?.to_str()? {
        "enc" => true,
        "part" => false,
        _ => return None,
    };
    Some((file.file_stem()?.to_str()?.parse().ok()?, finished))
}

/// The length of a file; `None` where there is none.
pub(super) fn length(path: &Path) -> io::Result<Option<u64>> {
    present(fs::metadata(path)).map(|found| found.map(|found| found.len()))
}

/// How many names a file has: none once it was removed.
#[cfg(unix)]
pub(super) fn names(file: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(file)
}

/// How many names a file has: an open one cannot be removed here.
#[cfg(not(unix))]
pub(super) fn names(_: &fs::Metadata) -> u64 {
    1
}

/// `None` where there is no such file.
pub(super) fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a directory for its owner only, and those above it, where they are missing. Each is there after a power loss.
pub(super) fn make_directory(path: &Path, durability: Durability) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let Some(above) = path.parent() else { return Ok(()) };
    let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
    match builder.create(path) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound && !above.exists() => {
            make_directory(above, durability)?;
            return make_directory(path, durability);
        }
        Err(taken) if !path.is_dir() => return Err(taken),
        _ => {}
    }
    sync_directory(above, durability)
}

/// Makes the names in a directory durable. Only Unix has a way to.
pub(super) fn sync_directory(path: &Path, durability: Durability) -> io::Result<()> {
    if cfg!(unix) && durability == Durability::Full { File::open(path)?.sync_all() } else { Ok(()) }
}
