//! The examination of a storage, whatever it is, before a server is started over it or when one does not start.

use super::settings::StorageLocation;
use super::store;
use crate::domain::examination::Finding;
use crate::domain::root::ServerRoot;

/// Examines a storage. `page` is the web page that is to reach it besides the servers, where there is a certain one.
pub async fn examine(storage: &StorageLocation, page: Option<&ServerRoot>) -> Vec<Finding> {
    match storage {
        // It comes and goes with a process.
        StorageLocation::Memory => Vec::new(),
        StorageLocation::File(folder) => store::examine_folder(folder).await,
        StorageLocation::S3(location) => store::examine_bucket(location, page).await,
    }
}
