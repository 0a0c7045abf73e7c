//! Integrity check and repair of a storage, for `sgsend store check`.

use std::sync::Arc;

use crate::domain::clock::SystemClock;
use crate::domain::maintenance::check::{CheckReport, check};
use crate::domain::maintenance::repair::{RepairReport, repair};
use crate::domain::store::{Store, StoreError, check_layout};
use crate::server::StartError;
use crate::server::store::{Durability, StorageLocation};

impl StorageLocation {
    /// Checks the integrity of the storage.
    ///
    /// Writes nothing, except what opening a storage always writes.
    ///
    /// # Errors
    /// [`StartError::Storage`] if there is no storage, or the storage cannot be read or is newer than this program.
    pub async fn check(&self) -> Result<CheckReport, StartError> {
        let store = self.open_checked().await?;
        check(&*store).await.map_err(unusable)
    }

    /// Repairs what a check has found, and checks the storage again. Services may use the storage meanwhile.
    ///
    /// Upgrades the layout of an older storage first.
    ///
    /// # Errors
    /// As [`check`](Self::check); [`StartError::Storage`] if the storage has no header.
    pub async fn repair(&self, found: CheckReport) -> Result<RepairReport, StartError> {
        let store = self.open_checked().await?;
        repair(&*store, &SystemClock, found).await.map_err(unusable)
    }

    async fn open_checked(&self) -> Result<Arc<dyn Store>, StartError> {
        self.backend().check_exists().map_err(|error| StartError::Storage(error.into()))?;
        let store = self.open(Durability::Full).await.map_err(StartError::Storage)?;
        check_layout(&*store).await.map_err(unusable)?;
        Ok(store)
    }
}

fn unusable(error: StoreError) -> StartError {
    StartError::Storage(error.into())
}
