//! Migration of one storage to another: opens both, rules out overlap and concurrent use, then copies.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::maintenance::copy::{Copied, CopyError, Watch, copy};
use crate::server::store::{S3Location, is_folder_open, open_bucket_offline};
use crate::server::{Settings, StartError, StorageLocation, open_store};

/// The reasons why a storage cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyStoreError {
    /// Source and destination are the same storage, or one folder contains the other.
    #[error("{0} and its copy must not overlap")]
    SamePlace(String),
    /// Another process has the source or the destination folder open.
    #[error("{folder} is in use by a service or another program")]
    InUse {
        /// The folder in use.
        folder: PathBuf,
    },
    /// The destination folder contains other files.
    #[error("the destination folder is not empty")]
    NotEmpty,
    /// The source or the destination cannot be opened.
    #[error(transparent)]
    Open(#[from] StartError),
    /// The copy failed. Data copied so far stays, and the same call resumes the copy.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

/// Copies the storage at `from` to `to`, or resumes an earlier copy.
///
/// No service may use `from` meanwhile. `to` must be empty, or contain an incomplete copy of `from`.
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
    // `open_store` would create a storage in a folder without one.
    if let StorageLocation::File(folder) = &from {
        std::fs::metadata(folder.join("records.sqlite")).map_err(cannot_open)?;
    }
    if let StorageLocation::File(folder) = &to
        && has_other_files(folder).map_err(cannot_open)?
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
            open_bucket_offline(&location).await.map_err(|error| StartError::Storage(error.into()))?
        }
        other => open_store(&Settings::new(other)).await?,
    };
    let to = open_store(&Settings::new(to)).await?;
    Ok(copy(&*from, &*to, &name, watch).await?)
}

fn cannot_open(error: io::Error) -> StartError {
    StartError::Storage(error.into())
}

/// Returns the name of the source in an incomplete copy, independent of links and S3 options.
///
/// Folders are canonicalised; S3 locations omit the path style and the region.
fn name_of(location: &StorageLocation) -> String {
    match location {
        StorageLocation::Memory => "memory:".to_owned(),
        StorageLocation::File(folder) => format!("file:{}", canonical(folder).display()),
        StorageLocation::S3(location) => S3Location { path_style: false, region: None, ..location.clone() }.to_string(),
    }
}

/// Returns the canonical path, or the absolute path if `path` does not exist.
fn canonical(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.canonicalize().unwrap_or(absolute)
}

/// Returns whether both locations are the same storage, or one folder contains the other.
fn overlap(from: &StorageLocation, to: &StorageLocation) -> bool {
    match (from, to) {
        (StorageLocation::File(from), StorageLocation::File(to)) => {
            let (from, to) = (canonical(from), canonical(to));
            from.starts_with(&to) || to.starts_with(&from)
        }
        _ => name_of(from) == name_of(to),
    }
}

/// Returns whether a folder without a storage contains files.
///
/// Ignores the files of a half-created storage.
fn has_other_files(folder: &Path) -> io::Result<bool> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?.collect::<io::Result<Vec<_>>>()?,
    };
    let is_storage_file = |name: &str| name == "payloads" || name == "last-boot" || name.starts_with(".tmp");
    let is_other = |entry: &std::fs::DirEntry| !entry.file_name().to_str().is_some_and(is_storage_file);
    Ok(!folder.join("records.sqlite").exists() && entries.iter().any(is_other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlaps(from: &str, to: &str) -> bool {
        overlap(&from.parse().unwrap(), &to.parse().unwrap())
    }

    #[test]
    fn overlap_is_found_through_links_and_s3_options() {
        let dir = tempfile::tempdir().unwrap();
        let path = |rest: &str| format!("file:{}{rest}", dir.path().display());
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("b")).unwrap();
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
