//! Whether what a storage holds agrees with itself.

use super::{Settings, StartError, StorageLocation, open_store};
use crate::domain::soundness::{Soundness, check};

/// Checks the storage at `location`, and writes nothing into it that the opening of any storage does not.
///
/// # Errors
/// [`StartError::Storage`] where there is none or it cannot be read.
pub async fn check_store(location: StorageLocation) -> Result<Soundness, StartError> {
    // Opening a folder would make a storage of it.
    if let StorageLocation::File(folder) = &location {
        std::fs::metadata(folder.join("records.sqlite")).map_err(|error| StartError::Storage(error.into()))?;
    }
    let store = open_store(&Settings::new(location)).await?;
    check(&*store).await.map_err(|error| StartError::Storage(error.into()))
}
