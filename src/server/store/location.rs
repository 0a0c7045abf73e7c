//! Storage URLs: the kinds of storage, and the registration of their backends.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::backend::{Backend, BackendError};
use super::file::{Durability, FolderStorage};
use super::memory::MemoryStorage;
#[cfg(feature = "s3")]
use super::s3::BucketStorage;
use super::s3_location::{InvalidS3Location, S3Location};
#[cfg(not(feature = "s3"))]
use super::s3_stub::BucketStorage;
use crate::domain::base_url::BaseUrl;
use crate::domain::clock::SystemClock;
use crate::domain::maintenance::finding::{Finding, Verdict};
use crate::domain::notification::{FailureReason, Outbox};
use crate::domain::store::Store;
use crate::domain::timestamp::Timestamp;

/// The kind and location of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a process has few locations")]
pub enum StorageLocation {
    /// In the memory of this process; lost when the process ends.
    Memory,
    /// In a local folder.
    File(PathBuf),
    /// In an S3 bucket.
    S3(S3Location),
}

/// The error for text that is not a storage location.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStorageLocation {
    /// The kind of storage is unknown.
    #[error("unknown storage: use file:FOLDER, s3://BUCKET or memory:")]
    Kind,
    /// The S3 location is malformed.
    #[error(transparent)]
    S3(#[from] InvalidS3Location),
}

impl FromStr for StorageLocation {
    type Err = InvalidStorageLocation;

    fn from_str(text: &str) -> Result<Self, InvalidStorageLocation> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("file", folder)) if !folder.is_empty() => Ok(Self::File(folder.into())),
            Some(("s3", _)) => Ok(Self::S3(text.parse()?)),
            _ => Err(InvalidStorageLocation::Kind),
        }
    }
}

impl StorageLocation {
    /// Returns the backend of this kind of storage. Each kind is registered here, and by its scheme in `from_str`.
    pub(in crate::server) fn backend(&self) -> Box<dyn Backend + '_> {
        match self {
            Self::Memory => Box::new(MemoryStorage),
            Self::File(folder) => Box::new(FolderStorage(folder)),
            Self::S3(location) => Box::new(BucketStorage(location)),
        }
    }

    /// Opens the storage for a service; a folder without a storage gets a new storage.
    ///
    /// # Errors
    /// The errors of the backend.
    pub(in crate::server) async fn open(&self, durability: Durability) -> Result<Arc<dyn Store>, BackendError> {
        self.backend().open(durability).await
    }

    /// Runs the diagnostic checks of the storage, before a server starts or after a failed start.
    ///
    /// `page` is the origin of the web page that must reach the storage from browsers, if configured.
    pub async fn diagnose(&self, page: Option<&BaseUrl>) -> Vec<Finding> {
        let mut findings = self.backend().diagnose(page).await;
        let is_sound = findings.iter().all(|finding| finding.verdict != Verdict::Problem);
        if is_sound && self.backend().check_exists().is_ok() {
            findings.extend(self.failing_targets().await);
        }
        findings
    }

    /// Reports the targets of notifications whose deliveries fail.
    async fn failing_targets(&self) -> Vec<Finding> {
        const NAME: &str = "notifications";
        let Ok(store) = self.backend().open_offline().await else { return Vec::new() };
        let targets = Outbox::new(store, Arc::new(SystemClock), Vec::new()).failing().await.unwrap_or_default();
        let failing = targets.into_iter().map(|target| {
            let since = target.failing_since.map(Timestamp::utc).unwrap_or_default();
            let reason = target.reason.map(FailureReason::as_text).unwrap_or_default();
            let detail = format!("{} fails since {since}: {reason}; {} dropped", target.address, target.dropped);
            let hint = "check the receiver; `sgsend token update` changes or removes the target of a token";
            Finding::warning(NAME, detail, hint)
        });
        failing.collect()
    }

    /// Returns whether both locations are the same storage, or one folder contains the other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.backend().overlaps(other)
    }

    /// Returns the path of a `file:` storage; `None` for other kinds.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::File(folder) => Some(folder),
            _ => None,
        }
    }

    /// Returns the kind of storage, as its URL names it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::File(_) => "file",
            Self::S3(_) => "s3",
        }
    }

    /// Returns whether the storage outlives its process.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.backend().is_persistent()
    }

    /// Returns whether the storage is reached over the network.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.backend().is_remote()
    }

    /// Returns whether this build contains the backend of the storage.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        self.backend().is_supported()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_locations_are_parsed() {
        assert_eq!("memory:".parse(), Ok(StorageLocation::Memory));
        assert_eq!("file:/srv/sgsend".parse(), Ok(StorageLocation::File("/srv/sgsend".into())));
        for bad in ["", "memory", "memory:x", "file:", "/srv/sgsend", "http://example.org"] {
            assert_eq!(bad.parse::<StorageLocation>(), Err(InvalidStorageLocation::Kind), "{bad:?} was accepted");
        }
        assert!(matches!("s3://bucket/prefix".parse(), Ok(StorageLocation::S3(_))));
        assert_eq!("s3:".parse::<StorageLocation>(), Err(InvalidStorageLocation::S3(InvalidS3Location::Form)));
    }

    fn overlaps(one: &str, other: &str) -> bool {
        let (one, other): (StorageLocation, StorageLocation) = (one.parse().unwrap(), other.parse().unwrap());
        one.overlaps(&other)
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
