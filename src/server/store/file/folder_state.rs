//! Classification of a folder before a store is opened in it.
//!
//! Opening creates a store in a folder without one, so the check comes first.

use std::fs;
use std::io;
use std::path::Path;

/// The suitability of a folder for a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderState {
    /// The folder contains a store.
    Store,
    /// The folder is missing or empty, or contains only files of a fresh disk or of a half-created store.
    Usable,
    /// The folder contains other files.
    HasOtherFiles,
}

impl FolderState {
    /// Classifies `folder` without creating anything.
    ///
    /// # Errors
    /// If `folder` cannot be read.
    pub fn of(folder: &Path) -> io::Result<Self> {
        if folder.join("records.sqlite").exists() {
            return Ok(Self::Store);
        }
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Usable),
            entries => entries?.collect::<io::Result<Vec<_>>>()?,
        };
        // Ignores `lost+found` and hidden files, which file systems and operating systems create.
        let is_foreign = |name: &str| {
            !name.starts_with('.') && !["lost+found", "payloads", "last-boot", "reserve", "acme"].contains(&name)
        };
        let foreign = entries.iter().any(|entry| entry.file_name().to_str().is_none_or(is_foreign));
        Ok(if foreign { Self::HasOtherFiles } else { Self::Usable })
    }
}

/// Returns whether a folder without a storage contains files.
///
/// Ignores the files of a half-created storage, but unlike [`FolderState`] no other hidden files: the destination of a
/// copy must be empty.
pub(super) fn has_other_files(folder: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?.collect::<io::Result<Vec<_>>>()?,
    };
    let is_storage_file = |name: &str| ["payloads", "last-boot", "reserve"].contains(&name) || name.starts_with(".tmp");
    let is_other = |entry: &fs::DirEntry| !entry.file_name().to_str().is_some_and(is_storage_file);
    Ok(!folder.join("records.sqlite").exists() && entries.iter().any(is_other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_disk_is_free_and_a_folder_of_photos_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let state = || FolderState::of(dir.path()).unwrap();
        assert_eq!(FolderState::of(&dir.path().join("nothing")).unwrap(), FolderState::Usable);
        assert_eq!(state(), FolderState::Usable);
        for folder in ["lost+found", "payloads", ".hidden"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        assert_eq!(state(), FolderState::Usable);
        fs::write(dir.path().join("photo.jpg"), "x").unwrap();
        assert_eq!(state(), FolderState::HasOtherFiles);
        assert!(FolderState::of(&dir.path().join("photo.jpg")).is_err());
        fs::write(dir.path().join("records.sqlite"), "").unwrap();
        assert_eq!(state(), FolderState::Store);
    }
}
