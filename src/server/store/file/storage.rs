//! Backend of `file:FOLDER` storages: opens and diagnoses them, and tells what their folders contain.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use super::folder_state::has_other_files;
use super::{Durability, FileStore, diagnose, is_open};
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::Store;
use crate::server::store::StorageLocation;
use crate::server::store::backend::{Backend, BackendError};

/// Storage in a local folder.
pub(in crate::server::store) struct FolderStorage<'a>(pub(in crate::server::store) &'a Path);

#[async_trait]
impl Backend for FolderStorage<'_> {
    async fn open(&self, durability: Durability) -> Result<Arc<dyn Store>, BackendError> {
        let folder = self.0.to_owned();
        let opened = tokio::task::spawn_blocking(move || FileStore::open(&folder, durability)).await;
        Ok(Arc::new(opened??))
    }

    async fn diagnose(&self, _: Option<&BaseUrl>) -> Vec<Finding> {
        diagnose::diagnose(self.0).await
    }

    fn name(&self) -> String {
        format!("file:{}", canonical(self.0).display())
    }

    fn overlaps(&self, other: &StorageLocation) -> bool {
        let (folder, other) = (canonical(self.0), other.folder().map(canonical));
        other.is_some_and(|other| folder.starts_with(&other) || other.starts_with(&folder))
    }

    fn check_exists(&self) -> io::Result<()> {
        std::fs::metadata(self.0.join("records.sqlite")).map(drop)
    }

    fn has_other_files(&self) -> io::Result<bool> {
        has_other_files(self.0)
    }

    fn folder_in_use(&self) -> Result<Option<PathBuf>, BackendError> {
        Ok(is_open(self.0)?.then(|| self.0.to_owned()))
    }
}

/// Returns the canonical path, or the absolute path if `path` does not exist.
fn canonical(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.canonicalize().unwrap_or(absolute)
}
