//! `memory:`: a storage in the memory of one process, for tests and `serve all`.

use std::sync::Arc;

use async_trait::async_trait;

use super::backend::{Backend, BackendError};
use super::file::Durability;
use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::Finding;
use crate::domain::store::{MemoryStore, Store};

/// Storage in memory, empty whenever it is opened.
pub(super) struct MemoryStorage;

#[async_trait]
impl Backend for MemoryStorage {
    async fn open(&self, _: Durability) -> Result<Arc<dyn Store>, BackendError> {
        Ok(Arc::new(MemoryStore::default()))
    }

    /// Returns no findings: a memory storage exists only inside a running server.
    async fn diagnose(&self, _: Option<&BaseUrl>) -> Vec<Finding> {
        Vec::new()
    }

    fn name(&self) -> String {
        "memory:".to_owned()
    }

    fn is_persistent(&self) -> bool {
        false
    }
}
