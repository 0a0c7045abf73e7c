//! Copying one storage into another.

use std::io;
use std::path::{Path, PathBuf};

use super::store::{S3Location, is_folder_open, open_bucket_at_rest};
use super::{Settings, StartError, StorageLocation, open_store};
use crate::domain::copying::{Copied, CopyError, Watch, copy};

/// Why a storage was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyStoreError {
    /// Both are the same, or one is in the other.
    #[error("{0} and its copy cannot be in the same place")]
    SamePlace(String),
    /// A process has one of them open.
    #[error("{folder} is in use by a service, or another program")]
    InUse {
        /// Which one.
        folder: PathBuf,
    },
    /// The folder for the copy holds something else.
    #[error("the folder for the copy is not empty")]
    NotEmpty,
    /// A storage cannot be opened.
    #[error(transparent)]
    Open(#[from] StartError),
    /// What was copied stays, and the same copy can be gone on with.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

/// Copies the storage at `from`, which no service uses, to `to`, where nothing is, or what was copied of it before.
///
/// # Errors
/// [`CopyStoreError`].
pub async fn copy_store(
    from: StorageLocation,
    to: StorageLocation,
    watch: &dyn Watch,
) -> Result<Copied, CopyStoreError> {
    let name = name_of(&from);
    if overlap(&from, &to) {
        return Err(CopyStoreError::SamePlace(name));
    }
    // Opening a folder would make a storage of it.
    if let StorageLocation::File(folder) = &from {
        std::fs::metadata(folder.join("records.sqlite")).map_err(cannot_open)?;
    }
    if let StorageLocation::File(folder) = &to
        && holds_something_else(folder).map_err(cannot_open)?
    {
        return Err(CopyStoreError::NotEmpty);
    }
    for location in [&from, &to] {
        if let StorageLocation::File(folder) = location
            && is_folder_open(folder).map_err(|error| StartError::Storage(error.into()))?
        {
            return Err(CopyStoreError::InUse { folder: folder.clone() });
        }
    }
    let from = match from {
        StorageLocation::S3(location) => {
            open_bucket_at_rest(&location).await.map_err(|error| StartError::Storage(error.into()))?
        }
        other => open_store(&Settings::new(other)).await?,
    };
    let to = open_store(&Settings::new(to)).await?;
    Ok(copy(&*from, &*to, &name, watch).await?)
}

fn cannot_open(error: io::Error) -> StartError {
    StartError::Storage(error.into())
}

/// What a storage is called in its unfinished copies: the same, whichever way it is reached.
fn name_of(location: &StorageLocation) -> String {
    match location {
        StorageLocation::Memory => "memory:".to_owned(),
        StorageLocation::File(folder) => format!("file:{}", real(folder).display()),
        StorageLocation::S3(location) => S3Location { path_style: false, region: None, ..location.clone() }.to_string(),
    }
}

/// A path without links and dots, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.canonicalize().unwrap_or(absolute)
}

/// Whether one of them is the other, or in it.
fn overlap(from: &StorageLocation, to: &StorageLocation) -> bool {
    match (from, to) {
        (StorageLocation::File(from), StorageLocation::File(to)) => {
            let (from, to) = (real(from), real(to));
            from.starts_with(&to) || to.starts_with(&from)
        }
        _ => name_of(from) == name_of(to),
    }
}

/// Whether a folder holds something, and no storage, nor what is made on the way to one.
fn holds_something_else(folder: &Path) -> io::Result<bool> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?.collect::<io::Result<Vec<_>>>()?,
    };
    let of_a_storage = |name: &str| name == "payloads" || name == "last-boot" || name.starts_with(".tmp");
    let is_other = |entry: &std::fs::DirEntry| !entry.file_name().to_str().is_some_and(of_a_storage);
    Ok(!folder.join("records.sqlite").exists() && entries.iter().any(is_other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlaps(from: &str, to: &str) -> bool {
        overlap(&from.parse().unwrap(), &to.parse().unwrap())
    }

    #[test]
    fn a_storage_is_the_same_whichever_way_it_is_reached() {
        let there = tempfile::tempdir().unwrap();
        let path = |rest: &str| format!("file:{}{rest}", there.path().display());
        std::fs::create_dir(there.path().join("a")).unwrap();
        std::os::unix::fs::symlink(there.path().join("a"), there.path().join("b")).unwrap();
        assert!(overlaps(&path("/a"), &path("/b")));
        assert!(overlaps(&path("/a"), &path("/a/new")));
        assert!(overlaps(&path("/a/new"), &path("/a")));
        assert!(!overlaps(&path("/a"), &path("/ab")));
        let endpoint = "endpoint=http://127.0.0.1:1";
        assert!(overlaps(&format!("s3://b/p?{endpoint}"), &format!("s3://b/p/?{endpoint}&path_style=1&region=x")));
        assert!(!overlaps("s3://b/p", &format!("s3://b/p?{endpoint}")));
        assert!(!overlaps("s3://b/p", "s3://b/q"));
        assert!(!overlaps(&path("/a"), "s3://b/q"));
    }
}
