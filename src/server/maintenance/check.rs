//! Integrity check of a storage, for `sgsend store check`.

use crate::domain::maintenance::check::{CheckReport, check};
use crate::server::StartError;
use crate::server::store::{Durability, StorageLocation};

impl StorageLocation {
    /// Checks the integrity of the storage.
    ///
    /// Writes nothing, except what opening a storage always writes.
    ///
    /// # Errors
    /// [`StartError::Storage`] if there is no storage, or the storage cannot be read.
    pub async fn check(&self) -> Result<CheckReport, StartError> {
        self.backend().check_exists().map_err(|error| StartError::Storage(error.into()))?;
        let store = self.open(Durability::Full).await.map_err(StartError::Storage)?;
        check(&*store).await.map_err(|error| StartError::Storage(error.into()))
    }
}
