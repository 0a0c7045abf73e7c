//! Integrity check of a storage, for `sgsend store check`.

use crate::domain::maintenance::check::{Soundness, check};
use crate::server::{Settings, StartError, StorageLocation, open_store};

/// Checks the integrity of the storage at `location`.
///
/// Writes nothing, except what opening a storage always writes.
///
/// # Errors
/// [`StartError::Storage`] if there is no storage at `location`, or the storage cannot be read.
pub async fn check_store(location: StorageLocation) -> Result<Soundness, StartError> {
    // `open_store` would create a storage in a folder without one.
    if let StorageLocation::File(folder) = &location {
        std::fs::metadata(folder.join("records.sqlite")).map_err(|error| StartError::Storage(error.into()))?;
    }
    let store = open_store(&Settings::new(location)).await?;
    check(&*store).await.map_err(|error| StartError::Storage(error.into()))
}
