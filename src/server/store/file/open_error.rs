//! Why a store cannot be opened.

use std::io;
use std::path::PathBuf;

/// Why a `file:` store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A directory can be neither used nor made.
    #[error("cannot use the directory {path}")]
    Directory {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The records cannot be opened.
    #[error("cannot open the records in {path}")]
    Records {
        /// The database.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
}
