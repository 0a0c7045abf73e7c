//! Storages on the command line: how they are written, and what is looked at before one is opened.

use std::path::Path;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::server::{StorageLocation, StoreFolder, look_at_folder};

/// Reads a storage.
pub(in crate::cli) fn storage(text: &str) -> Result<StorageLocation, String> {
    if let Some(rest) = text.strip_prefix("file:~")
        && (rest.is_empty() || rest.starts_with('/'))
    {
        // It would become a folder of this name.
        return Err(format!("write \"file:$HOME{rest}\": the shell does not expand the ~ there"));
    }
    text.parse().map_err(|error: crate::server::InvalidStorage| error.to_string())
}

/// Refuses a folder that holds no store, which opening it would make.
pub(in crate::cli) fn check_holds_store(storage: &StorageLocation) -> Result<(), Failure> {
    let StorageLocation::File(folder) = storage else { return Ok(()) };
    match look_at_folder(folder) {
        Ok(StoreFolder::Store) => Ok(()),
        Ok(StoreFolder::Free | StoreFolder::Foreign) => {
            let what = if folder.exists() { "no storage in the folder" } else { "no folder" };
            Err(Failure::new(Exit::LocalFile, "storage_unavailable", format!("there is {what} {}", folder.display()))
                .hint("check its name: the storage of a service is a folder with records.sqlite in it"))
        }
        Err(error) => Err(unusable(folder, &error)),
    }
}

/// Refuses a folder that holds something else, with which a store would be mixed.
pub(in crate::cli) fn check_not_foreign(storage: &StorageLocation) -> Result<(), Failure> {
    let StorageLocation::File(folder) = storage else { return Ok(()) };
    match look_at_folder(folder) {
        Ok(StoreFolder::Store | StoreFolder::Free) => Ok(()),
        Ok(StoreFolder::Foreign) => {
            let message = format!("the folder {} holds other files, and no storage", folder.display());
            Err(Failure::new(Exit::LocalFile, "not_empty", message).hint("name a new folder, or an empty one"))
        }
        Err(error) => Err(unusable(folder, &error)),
    }
}

fn unusable(folder: &Path, error: &std::io::Error) -> Failure {
    unusable_folder(format!("the storage in {} cannot be used: {error}", folder.display()))
}

/// What to do about a folder that cannot be used as a storage.
pub(in crate::cli) fn unusable_folder(message: String) -> Failure {
    Failure::new(Exit::LocalFile, "storage_unavailable", message)
        .hint("check that it is a folder that this user may read and write")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_that_no_shell_expands_is_refused() {
        for tilde in ["file:~", "file:~/store"] {
            assert!(storage(tilde).unwrap_err().contains("$HOME"), "{tilde}");
        }
        assert_eq!(storage("file:~store"), Ok(StorageLocation::File("~store".into())));
        assert_eq!(storage("memory:"), Ok(StorageLocation::Memory));
    }
}
