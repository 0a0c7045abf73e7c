//! Storage arguments: parsing, and checks before a storage is opened.

use std::error::Error as StdError;
use std::path::Path;

use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::domain::store::StoreError;
use crate::server::{FolderState, StorageLocation};

/// Parses a storage URL.
pub(crate) fn storage(text: &str) -> Result<StorageLocation, String> {
    if let Some(rest) = text.strip_prefix("file:~")
        && (rest.is_empty() || rest.starts_with('/'))
    {
        // Without this check, a folder named `~` would be created.
        return Err(format!("write \"file:$HOME{rest}\": the shell does not expand ~ after file:"));
    }
    text.parse().map_err(|error: crate::server::InvalidStorageLocation| error.to_string())
}

/// Rejects a folder without a store, in which opening would create a store.
pub(crate) fn check_holds_store(storage: &StorageLocation) -> Result<(), Failure> {
    let Some(folder) = storage.folder() else { return Ok(()) };
    match FolderState::of(folder) {
        Ok(FolderState::Store) => Ok(()),
        Ok(FolderState::Usable | FolderState::HasOtherFiles) => {
            let problem = if folder.exists() { "contains no storage" } else { "does not exist" };
            let message = format!("the folder {} {problem}", folder.display());
            Err(Failure::new(Exit::LocalFile, "storage_unavailable", message)
                .hint("check the path: the storage of a service is a folder that contains records.sqlite"))
        }
        Err(error) => Err(unusable(folder, &error)),
    }
}

/// Rejects a folder with foreign files: a new store must not mix with other files.
pub(crate) fn check_not_foreign(storage: &StorageLocation) -> Result<(), Failure> {
    let Some(folder) = storage.folder() else { return Ok(()) };
    match FolderState::of(folder) {
        Ok(FolderState::Store | FolderState::Usable) => Ok(()),
        Ok(FolderState::HasOtherFiles) => {
            let message = format!("the folder {} contains other files and no storage", folder.display());
            Err(Failure::new(Exit::LocalFile, "not_empty", message).hint("use a new or empty folder"))
        }
        Err(error) => Err(unusable(folder, &error)),
    }
}

/// Returns the failure of every command for a storage of a newer version; `None` for other errors.
pub(crate) fn newer_layout(error: &(dyn StdError + 'static)) -> Option<Failure> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(newer @ StoreError::NewerLayout { .. }) = error.downcast_ref() {
            let hint = "update sgsend: a newer version has created or upgraded the storage, and nothing was changed";
            return Some(Failure::new(Exit::Other, "storage_newer", newer.to_string()).hint(hint));
        }
        cause = error.source();
    }
    None
}

fn unusable(folder: &Path, error: &std::io::Error) -> Failure {
    unusable_folder(format!("cannot use the storage in {}: {error}", folder.display()))
}

/// Returns the failure for a folder that cannot be used as a storage.
pub(crate) fn unusable_folder(message: String) -> Failure {
    Failure::new(Exit::LocalFile, "storage_unavailable", message)
        .hint("check that the path is a folder that this user can read and write")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unexpanded_tilde_is_rejected() {
        for tilde in ["file:~", "file:~/store"] {
            assert!(storage(tilde).unwrap_err().contains("$HOME"), "{tilde}");
        }
        assert_eq!(storage("file:~store"), Ok(StorageLocation::File("~store".into())));
        assert_eq!(storage("memory:"), Ok(StorageLocation::Memory));
    }
}
