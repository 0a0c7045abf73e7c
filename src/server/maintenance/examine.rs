//! Diagnosis of a storage for `sgsend doctor`, before a server starts or after a failed start.

use crate::domain::base_url::BaseUrl;
use crate::domain::maintenance::finding::Finding;
use crate::server::settings::StorageLocation;
use crate::server::store;

/// Runs the diagnostic checks of a storage.
///
/// `page` is the origin of the web page that must reach the storage from browsers, if configured.
pub async fn examine(storage: &StorageLocation, page: Option<&BaseUrl>) -> Vec<Finding> {
    match storage {
        // A memory storage exists only inside a running server.
        StorageLocation::Memory => Vec::new(),
        StorageLocation::File(folder) => store::diagnose_folder(folder).await,
        StorageLocation::S3(location) => store::diagnose_bucket(location, page).await,
    }
}
