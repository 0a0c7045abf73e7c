//! A new directory with what an archive holds: whole, or not there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::WalkDir;

use super::names::alternatives_of_directory;
use super::output::{Conflict, OutputError, Target};
use super::part::PartFile;
use crate::client::unpack::{UnpackError, UnpackedFile, Watch, make_private, permit, unpack, usual_mode};
use crate::domain::file_name::safe_file_name;

/// The longest name that the usual file systems take.
const MAX_NAME_BYTES: usize = 255;

/// An archive that arrived whole and could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct NotUnpacked {
    /// Why not. Its own cause is the next of this error.
    pub error: UnpackError,
    /// Where the archive itself is, since it may be the only copy there will ever be.
    pub kept: Option<PathBuf>,
}

/// Unpacks the archive in `part` beside `target`, gives the directory its name, and removes the part. Where it cannot be
/// unpacked, the archive stays under a name of its own.
pub(super) fn finish(
    part: PartFile,
    target: &Target,
    modified: Option<SystemTime>,
    watch: &Watch,
) -> Result<(PathBuf, Vec<UnpackedFile>), OutputError> {
    let error = match make(&part, target, modified, watch) {
        Ok(made) => return Ok(made),
        Err(error) => error,
    };
    if error.is_stop() {
        part.leave();
        return Err(error);
    }
    let kept = part.finish_as(archive_beside(&target.path), modified).ok();
    Err(match error {
        OutputError::Unpack(failed) => OutputError::Unpack(Box::new(NotUnpacked { kept, ..*failed })),
        other => other,
    })
}

/// Where the archive of `directory` stays.
fn archive_beside(directory: &Path) -> PathBuf {
    let name = directory.file_name().unwrap_or_default();
    let mut with_ending = name.to_owned();
    with_ending.push(".tar");
    if with_ending.len() > MAX_NAME_BYTES {
        with_ending = safe_file_name(&format!("{}.tar", name.to_string_lossy())).into();
    }
    directory.with_file_name(with_ending)
}

fn make(
    part: &PartFile,
    target: &Target,
    modified: Option<SystemTime>,
    watch: &Watch,
) -> Result<(PathBuf, Vec<UnpackedFile>), OutputError> {
    let of_unpack = |error| OutputError::Unpack(Box::new(NotUnpacked { error, kept: None }));
    let failed = |source| OutputError::Create { path: target.path.clone(), source };
    let archive = part.reader().map_err(|error| of_unpack(UnpackError::Read(error)))?;
    let unfinished = Unfinished::create(target.path.with_file_name(format!(".sgsend-{}.d", target.mark)))?;
    let mode = usual_mode(&unfinished.0).map_err(failed)?;
    let files = unpack(io::BufReader::with_capacity(256 * 1024, archive), &unfinished.0, watch).map_err(of_unpack)?;
    if let Some(modified) = modified {
        let _ = File::open(&unfinished.0).and_then(|directory| directory.set_modified(modified));
    }
    // Before it gets its name: after a power loss there is all of it under that name, or nothing.
    sync(&unfinished.0).map_err(failed)?;
    permit(&unfinished.0, mode).map_err(failed)?;
    let path = unfinished.publish(target)?;
    Ok((path, files))
}

/// A directory that is being filled. It goes with this value, unless it is published.
struct Unfinished(PathBuf);

impl Unfinished {
    /// Makes the directory, which only this user can look into, in place of one that an earlier try has left. No other try
    /// is at work here: it would hold the lock of the part file.
    fn create(path: PathBuf) -> Result<Self, OutputError> {
        let failed = |source| OutputError::Create { path: path.clone(), source };
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
            Ok(metadata) if metadata.is_dir() => remove_tree(&path).map_err(failed)?,
            // A link goes, and not what it leads to.
            Ok(_) => fs::remove_file(&path).map_err(failed)?,
        }
        make_private(&path).map_err(failed)?;
        Ok(Self(path))
    }

    /// Gives the directory its name, which nothing has.
    fn publish(self, target: &Target) -> Result<PathBuf, OutputError> {
        let renames = target.conflict == Conflict::Rename;
        let others = alternatives_of_directory(&target.path).take(if renames { usize::MAX } else { 0 });
        for candidate in std::iter::once(target.path.clone()).chain(others) {
            match rename_to_new(&self.0, &candidate) {
                Ok(()) => {
                    std::mem::forget(self);
                    return Ok(candidate);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(OutputError::Create { path: candidate, source }),
            }
        }
        Err(OutputError::NotNew(target.path.clone()))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What remains is removed by the next try, which says so if it cannot.
        let _ = remove_tree(&self.0);
    }
}

/// Removes a directory with everything in it; also what its permissions protect. Follows no links.
fn remove_tree(path: &Path) -> io::Result<()> {
    let first = fs::remove_dir_all(path);
    if !matches!(&first, Err(error) if error.kind() == io::ErrorKind::PermissionDenied) {
        return first;
    }
    for entry in WalkDir::new(path).follow_links(false).into_iter().filter_map(Result::ok) {
        if entry.file_type().is_dir() {
            permit(entry.path(), 0o700)?;
        }
    }
    fs::remove_dir_all(path)
}

/// Renames a directory to a name that nothing has.
#[cfg(unix)]
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Not every file system can do that.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            outcome => return Ok(outcome?),
        }
    }
    // An empty directory of our own takes the name first, and is what is replaced. Nothing else would be: no file is ever
    // replaced by a directory, nor is a directory with something in it.
    fs::create_dir(to)?;
    fs::rename(from, to)
}

/// Renames a directory to a name that nothing has: directories replace nothing here.
#[cfg(not(unix))]
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Waits until everything in the file system of `path` is on disk: one call, where a file at a time takes minutes.
#[cfg(target_os = "linux")]
fn sync(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(path)?)?)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn sync(_: &Path) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
