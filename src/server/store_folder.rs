//! What a folder is to a store: looked at before it is opened, since opening makes a store of it.

use std::fs;
use std::io;
use std::path::Path;

/// What a folder is to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFolder {
    /// A store is in it.
    Store,
    /// Nothing is in it, or it is not there, or it holds what a fresh disk does, or what was made on the way to a store.
    Free,
    /// It holds something else.
    Foreign,
}

/// Looks at `folder`, and makes nothing.
///
/// # Errors
/// Where it cannot be looked at.
pub fn look_at(folder: &Path) -> io::Result<StoreFolder> {
    if folder.join("records.sqlite").exists() {
        return Ok(StoreFolder::Store);
    }
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(StoreFolder::Free),
        entries => entries?.collect::<io::Result<Vec<_>>>()?,
    };
    // `lost+found` and hidden files are those of a disk and its system.
    let is_foreign = |name: &str| !name.starts_with('.') && !["lost+found", "payloads", "last-boot"].contains(&name);
    let foreign = entries.iter().any(|entry| entry.file_name().to_str().is_none_or(is_foreign));
    Ok(if foreign { StoreFolder::Foreign } else { StoreFolder::Free })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_disk_is_free_and_a_folder_of_photos_is_not() {
        let there = tempfile::tempdir().unwrap();
        let found = || look_at(there.path()).unwrap();
        assert_eq!(look_at(&there.path().join("nothing")).unwrap(), StoreFolder::Free);
        assert_eq!(found(), StoreFolder::Free);
        for folder in ["lost+found", "payloads", ".hidden"] {
            fs::create_dir(there.path().join(folder)).unwrap();
        }
        assert_eq!(found(), StoreFolder::Free);
        fs::write(there.path().join("photo.jpg"), "x").unwrap();
        assert_eq!(found(), StoreFolder::Foreign);
        assert!(look_at(&there.path().join("photo.jpg")).is_err());
        fs::write(there.path().join("records.sqlite"), "").unwrap();
        assert_eq!(found(), StoreFolder::Store);
    }
}
