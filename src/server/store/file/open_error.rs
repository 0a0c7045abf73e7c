//! Error of opening a `file:` store.

use std::io;
use std::path::PathBuf;

use crate::domain::store::StoreError;

/// Error of opening a `file:` store.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A directory or file of the store can be neither used nor created.
    #[error("cannot use the directory {path}")]
    Directory {
        /// Path of the store's directory.
        path: PathBuf,
        /// Cause of the failure.
        #[source]
        source: io::Error,
    },
    /// A newer version of this program has created or upgraded the store.
    #[error("cannot use the records in {path}")]
    Layout {
        /// Path of the database.
        path: PathBuf,
        /// The versions.
        #[source]
        source: StoreError,
    },
    /// The database of records cannot be opened.
    #[error("cannot open the records in {path}")]
    Records {
        /// Path of the database.
        path: PathBuf,
        /// Cause of the failure.
        #[source]
        source: rusqlite::Error,
    },
}
