//! Classification of a folder before a store is opened in it.
//!
//! Opening creates a store in a folder without one, so the check comes first.

use std::fs;
use std::io;
use std::path::Path;

/// The suitability of a folder for a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFolder {
    /// The folder contains a store.
    Store,
    /// The folder is missing or empty, or contains only files of a fresh disk or of a half-created store.
    Free,
    /// The folder contains other files.
    Foreign,
}

/// Classifies `folder` without creating anything.
///
/// # Errors
/// If `folder` cannot be read.
pub fn look_at(folder: &Path) -> io::Result<StoreFolder> {
    if folder.join("records.sqlite").exists() {
        return Ok(StoreFolder::Store);
    }
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(StoreFolder::Free),
        entries => entries?.collect::<io::Result<Vec<_>>>()?,
    };
    // Ignores `lost+found` and hidden files, which file systems and operating systems create.
    let is_foreign = |name: &str| !name.starts_with('.') && !["lost+found", "payloads", "last-boot"].contains(&name);
    let foreign = entries.iter().any(|entry| entry.file_name().to_str().is_none_or(is_foreign));
    Ok(if foreign { StoreFolder::Foreign } else { StoreFolder::Free })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_disk_is_free_and_a_folder_of_photos_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let state = || look_at(dir.path()).unwrap();
        assert_eq!(look_at(&dir.path().join("nothing")).unwrap(), StoreFolder::Free);
        assert_eq!(state(), StoreFolder::Free);
        for folder in ["lost+found", "payloads", ".hidden"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        assert_eq!(state(), StoreFolder::Free);
        fs::write(dir.path().join("photo.jpg"), "x").unwrap();
        assert_eq!(state(), StoreFolder::Foreign);
        assert!(look_at(&dir.path().join("photo.jpg")).is_err());
        fs::write(dir.path().join("records.sqlite"), "").unwrap();
        assert_eq!(state(), StoreFolder::Store);
    }
}
