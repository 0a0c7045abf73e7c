//! Error of opening a `file:` store.

use std::io;
use std::path::PathBuf;

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
