//! Part file: a file under a temporary name until its content is complete and authenticated.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tempfile::{PathPersistError, TempPath};

use super::names::alternatives;
use super::output::{Attributes, Conflict, OutputError, Target};
use crate::client::save_warning::{LostProperty, is_unsupported};
use crate::client::tag_file::is_at;
use crate::client::unpack::Watch;
use crate::domain::crypto::random;

/// Permissions of the finished file.
#[derive(Debug)]
enum FilePermissions {
    /// Those of the replaced file.
    Replaced(Permissions),
    /// Those that this user's umask allows to a new file.
    New(Permissions),
}

/// Part file in the directory of its target. Removed on drop, unless it is finished or kept.
#[derive(Debug)]
pub(super) struct PartFile {
    path: TempPath,
    file: File,
    target: Target,
    permissions: FilePermissions,
}

impl PartFile {
    /// Creates the part file of `target`, locked and accessible to this user only.
    pub(super) fn create(target: Target) -> Result<Self, OutputError> {
        let permissions = check_target(&target)?;
        let path = part_path(&target);
        let failed = |source| OutputError::Create { path: target.path.clone(), source };
        let file = match create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove_abandoned(&path)?;
                create_new(&path)
            }
            outcome => outcome,
        };
        let file = file.map_err(failed)?;
        let path = TempPath::try_from_path(path).map_err(failed)?;
        // Best effort: file systems without locks rely on the check in `finish` that the path still names this file.
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(OutputError::Busy(path.keep().unwrap_or_else(|error| error.path.to_path_buf())));
        }
        Ok(Self { path, file, target, permissions })
    }

    /// Takes over the unfinished `file` of `target` from an earlier process; the caller holds its lock.
    pub(super) fn resume(target: Target, file: File) -> Result<Self, OutputError> {
        let permissions = check_target(&target)?;
        let failed = |source| OutputError::Create { path: target.path.clone(), source };
        let path = TempPath::try_from_path(part_path(&target)).map_err(failed)?;
        Ok(Self { path, file, target, permissions })
    }

    /// Truncates the file to `length` bytes, and continues writing at its end.
    pub(super) fn truncated(mut self, length: u64) -> io::Result<Self> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length))?;
        Ok(self)
    }

    /// Returns the path of the part file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the file, so that another process can resume.
    pub(super) fn keep_for_resume(self) {
        // After a failure the file no longer exists, and its content is downloaded again.
        let _ = self.path.keep();
    }

    /// Returns the open file.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Opens the file for reading from its start.
    pub(super) fn reader(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        if is_at(&self.file, &self.path)? { Ok(file) } else { Err(io::ErrorKind::ResourceBusy.into()) }
    }

    /// Gives the file the name `path`, or an alternative name if `path` exists.
    ///
    /// The file may be the only copy of its content, so it is kept even if the disk fails to confirm it.
    pub(super) fn finish_as(
        mut self,
        path: PathBuf,
        attributes: Attributes,
        watch: &Watch,
    ) -> Result<PathBuf, OutputError> {
        let _ = self.complete(attributes, watch);
        self.target = Target { path, conflict: Conflict::Rename, ..self.target };
        self.publish()
    }

    /// Sets modification time and permissions of the complete file, and waits until it is on the disk.
    ///
    /// A file system without permissions or without fsync only causes a warning.
    pub(super) fn complete(&self, attributes: Attributes, watch: &Watch) -> io::Result<()> {
        let Self { file, target, permissions, .. } = self;
        if let Err(error) = file.set_permissions(permissions.with_mode(attributes.mode)) {
            watch.warn(LostProperty::Permissions, &target.path, &error);
        }
        if let Some(modified) = attributes.modified {
            // Best effort: the file system may not support this time.
            let _ = file.set_modified(modified);
        }
        watch.tolerate(LostProperty::Durability, &target.path, file.sync_all())
    }

    /// Gives the file its name; returns its path.
    ///
    /// The file is on the disk before it is renamed, so that after a power loss the name refers to the complete file or
    /// to none.
    pub(super) fn publish(self) -> Result<PathBuf, OutputError> {
        let Self { mut path, file, target, .. } = self;
        if !is_at(&file, &path).map_err(OutputError::Write)? {
            let other = path.keep().unwrap_or_else(|error| error.path.to_path_buf());
            return Err(OutputError::Busy(other));
        }
        // Windows cannot rename an open file.
        drop(file);
        if target.conflict == Conflict::Overwrite {
            return match path.persist(&target.path) {
                Ok(()) => Ok(target.path),
                Err(error) => Err(OutputError::Create { path: target.path, source: error.error }),
            };
        }
        let renames = target.conflict == Conflict::Rename;
        let alternative_paths = alternatives(&target.path).take(if renames { usize::MAX } else { 0 });
        for candidate in std::iter::once(target.path.clone()).chain(alternative_paths) {
            match persist_to_new(path, &candidate) {
                Ok(()) => return Ok(candidate),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => path = error.path,
                Err(error) => return Err(OutputError::Create { path: candidate, source: error.error }),
            }
        }
        Err(OutputError::Exists(target.path))
    }
}

/// Renames a file; fails if `to` exists.
fn persist_to_new(path: TempPath, to: &Path) -> Result<(), PathPersistError> {
    match path.persist_noclobber(to) {
        // The file system has neither hard links nor a rename that replaces nothing.
        Err(error) if is_unsupported(&error.error) => {
            let path = error.path;
            // Reserves the name with an empty file, which the rename replaces.
            if let Err(error) = create_new(to) {
                return Err(PathPersistError { error, path });
            }
            path.persist(to).inspect_err(|_| {
                // Best effort: an empty file stays behind.
                let _ = fs::remove_file(to);
            })
        }
        outcome => outcome,
    }
}

/// Checks that `target` may be written, and returns the permissions of the finished file.
fn check_target(target: &Target) -> Result<FilePermissions, OutputError> {
    if target.conflict == Conflict::Fail && target.path.symlink_metadata().is_ok() {
        return Err(OutputError::Exists(target.path.clone()));
    }
    let replaced = target.path.symlink_metadata().ok().filter(|_| target.conflict == Conflict::Overwrite);
    match replaced {
        // The file that the link names may be any file of this user, and a sender can choose the name of the link.
        Some(found) if found.is_symlink() => {
            let message = format!("{} is a symbolic link, so it is not replaced", target.path.display());
            Err(OutputError::Rejected(message))
        }
        Some(found) if !found.is_file() => {
            let message = format!("{} is not a regular file, so it is not replaced", target.path.display());
            Err(OutputError::Rejected(message))
        }
        Some(found) => Ok(FilePermissions::Replaced(without_special_bits(&found.permissions()))),
        None => allowed_permissions(&target.path)
            .map(FilePermissions::New)
            .map_err(|source| OutputError::Create { path: target.path.clone(), source }),
    }
}

/// Removes the setuid, setgid and sticky bits, which the owner gave to other content.
#[cfg(unix)]
fn without_special_bits(permissions: &Permissions) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    Permissions::from_mode(permissions.mode() & 0o777)
}

#[cfg(not(unix))]
fn without_special_bits(permissions: &Permissions) -> Permissions {
    permissions.clone()
}

/// Returns the path of the part file of `target`.
pub(super) fn part_path(target: &Target) -> PathBuf {
    target.path.with_file_name(format!(".sgsend-{}.part", target.mark))
}

/// Returns the disk space, in bytes, of the part file with this mark in `directory`. A download resumes or replaces the
/// file.
#[must_use]
pub fn existing_part(directory: &Path, mark: &str) -> u64 {
    let target = Target { path: directory.join("content"), conflict: Conflict::Fail, mark: mark.to_owned() };
    let part = part_path(&target).symlink_metadata().ok().filter(fs::Metadata::is_file);
    #[cfg(unix)]
    return part.map_or(0, |part| std::os::unix::fs::MetadataExt::blocks(&part) * 512);
    #[cfg(not(unix))]
    return part.map_or(0, |part| part.len());
}

/// Opens and locks the part file of an ended process. Returns `None` if the file does not exist, or another process
/// uses the file.
pub(super) fn claim(path: &Path) -> Option<File> {
    // Never follows a symbolic link, which another user may have created.
    if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return None;
    }
    let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) || !is_at(&file, path).is_ok_and(|is_at| is_at) {
        return None;
    }
    Some(file)
}

/// Creates a file that is accessible to this user only; fails if the path exists.
fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

impl FilePermissions {
    /// Returns the permissions of a file whose sender has stated `mode`. Only the execute permission of `mode` counts.
    fn with_mode(&self, mode: Option<u32>) -> Permissions {
        match self {
            Self::Replaced(permissions) => permissions.clone(),
            #[cfg(unix)]
            Self::New(allowed) => {
                use std::os::unix::fs::PermissionsExt;
                let is_executable = mode.is_some_and(|mode| mode & 0o100 != 0);
                let mask = if is_executable { 0o777 } else { 0o666 };
                Permissions::from_mode(allowed.mode() & mask)
            }
            #[cfg(not(unix))]
            Self::New(allowed) => {
                let _ = mode;
                allowed.clone()
            }
        }
    }
}

/// Returns the permissions that this user's umask allows to a new file in the directory of `path`.
fn allowed_permissions(path: &Path) -> io::Result<Permissions> {
    let number = u64::from_le_bytes(random::bytes());
    let probe = path.with_file_name(format!(".sgsend-{number:016x}.probe"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o777);
    let file = options.open(&probe)?;
    let permissions = file.metadata().map(|metadata| metadata.permissions());
    fs::remove_file(&probe)?;
    permissions
}

/// Removes the part file of a crashed process; fails if a process is still writing the file.
fn remove_abandoned(path: &Path) -> Result<(), OutputError> {
    let failed = |source| OutputError::Create { path: path.to_owned(), source };
    // Never follows a symbolic link, which another user may have created.
    if path.symlink_metadata().map_err(failed)?.is_file() {
        let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(_) => return Err(OutputError::Busy(path.to_owned())),
        }
    }
    fs::remove_file(path).map_err(failed)
}

#[cfg(test)]
mod tests;
