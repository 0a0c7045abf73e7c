//! Unpacks an archive into a new directory, which appears only with all entries.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::names::alternatives_of_directory;
use super::output::{Attributes, Conflict, OutputError, Target};
use super::part_file::PartFile;
use crate::client::save_warning::LostProperty;
use crate::client::unpack::{UnpackError, UnpackedFile, Watch, default_directory_mode, make_private, permit, unpack};
use crate::domain::file_name::{MAX_NAME_BYTES, safe_file_name};

/// Failure to unpack a complete archive.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct UnpackFailure {
    /// Cause of the failure.
    pub error: UnpackError,
    /// Path of the archive, which is kept since it may be the only copy; `None` if keeping it failed.
    pub kept: Option<PathBuf>,
}

/// Unpacks the archive in `part`, gives the directory the name in `target`, and removes `part`.
///
/// After a failure, the archive is kept as a `.tar` file; after a cancellation, as `part`.
pub(super) fn finish(
    part: PartFile,
    target: &Target,
    attributes: Attributes,
    watch: &Watch,
) -> Result<(PathBuf, Vec<UnpackedFile>), OutputError> {
    let error = match unpack_part(&part, target, attributes, watch) {
        Ok(unpacked) => return Ok(unpacked),
        Err(error) => error,
    };
    if error.is_cancelled() {
        part.keep_for_resume();
        return Err(error);
    }
    // The permissions are those of the directory.
    let attributes = Attributes { mode: None, ..attributes };
    let kept = part.finish_as(archive_path(&target.path), attributes, watch).ok();
    Err(match error {
        OutputError::Unpack(failed) => OutputError::Unpack(Box::new(UnpackFailure { kept, ..*failed })),
        other => other,
    })
}

/// Returns the path for the archive of `directory`: its name with the extension `.tar`.
fn archive_path(directory: &Path) -> PathBuf {
    let name = directory.file_name().unwrap_or_default();
    let mut with_extension = name.to_owned();
    with_extension.push(".tar");
    if with_extension.len() > MAX_NAME_BYTES {
        with_extension = safe_file_name(&format!("{}.tar", name.to_string_lossy())).into();
    }
    directory.with_file_name(with_extension)
}

fn unpack_part(
    part: &PartFile,
    target: &Target,
    attributes: Attributes,
    watch: &Watch,
) -> Result<(PathBuf, Vec<UnpackedFile>), OutputError> {
    let of_unpack = |error| OutputError::Unpack(Box::new(UnpackFailure { error, kept: None }));
    let failed = |source| OutputError::Create { path: target.path.clone(), source };
    let archive = part.reader().map_err(|error| of_unpack(UnpackError::Read(error)))?;
    let unfinished = UnfinishedDirectory::create(target.path.with_file_name(format!(".sgsend-{}.d", target.mark)))?;
    let allowed = default_directory_mode(&unfinished.0).map_err(failed)?;
    let files = unpack(io::BufReader::with_capacity(256 * 1024, archive), &unfinished.0, watch).map_err(of_unpack)?;
    if let Some(modified) = attributes.modified {
        let _ = File::open(&unfinished.0).and_then(|directory| directory.set_modified(modified));
    }
    // Synced before the rename, so that after a power loss the name refers to the complete directory or to none.
    watch.tolerate(LostProperty::Durability, &target.path, sync(&unfinished.0)).map_err(failed)?;
    if let Err(error) = permit(&unfinished.0, allowed & attributes.mode.unwrap_or(0o777)) {
        watch.warn(LostProperty::Permissions, &target.path, &error);
    }
    let path = unfinished.publish(target)?;
    Ok((path, files))
}

/// Directory that is being filled. Removed on drop, unless it is published.
struct UnfinishedDirectory(PathBuf);

impl UnfinishedDirectory {
    /// Creates the directory, accessible to this user only; replaces one of an earlier attempt.
    ///
    /// The lock on the part file excludes concurrent attempts.
    fn create(path: PathBuf) -> Result<Self, OutputError> {
        let failed = |source| OutputError::Create { path: path.clone(), source };
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
            Ok(metadata) if metadata.is_dir() => remove_tree(&path).map_err(failed)?,
            // Removes a symbolic link, not its target.
            Ok(_) => fs::remove_file(&path).map_err(failed)?,
        }
        make_private(&path).map_err(failed)?;
        Ok(Self(path))
    }

    /// Renames the directory to its final, unused name.
    fn publish(self, target: &Target) -> Result<PathBuf, OutputError> {
        let renames = target.conflict == Conflict::Rename;
        let alternatives_of_path = alternatives_of_directory(&target.path).take(if renames { usize::MAX } else { 0 });
        for candidate in std::iter::once(target.path.clone()).chain(alternatives_of_path) {
            match rename_to_new(&self.0, &candidate) {
                Ok(()) => {
                    std::mem::forget(self);
                    return Ok(candidate);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(OutputError::Create { path: candidate, source }),
            }
        }
        Err(OutputError::DirectoryExists(target.path.clone()))
    }
}

impl Drop for UnfinishedDirectory {
    fn drop(&mut self) {
        // The next attempt removes the rest, or reports the failure.
        let _ = remove_tree(&self.0);
    }
}

/// Removes a directory tree, including write-protected directories. Follows no symbolic links.
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

/// Renames a directory; fails if `to` exists.
#[cfg(unix)]
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // The file system does not support this flag.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            outcome => return Ok(outcome?),
        }
    }
    // Reserves the name with an empty directory, which the rename replaces. Renaming a directory never replaces a file
    // or a directory with entries.
    fs::create_dir(to)?;
    fs::rename(from, to)
}

/// Renames a directory; fails if `to` exists. On Windows, renaming a directory replaces nothing.
#[cfg(not(unix))]
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Flushes the file system of `path` to disk: one call instead of one per file, which can take minutes.
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
#[expect(clippy::unnecessary_wraps, reason = "can fail on other systems")]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
