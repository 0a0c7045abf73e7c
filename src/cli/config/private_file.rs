//! Small files of this user with mode 0600, which are replaced as a whole.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Whether a file may replace another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// An existing file is replaced.
    Replaced,
    /// An existing file is an error.
    Kept,
}

/// Writes a file with mode 0600 durably, and creates its directory.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] for an existing file that is to be kept.
pub(crate) fn write(path: &Path, contents: &[u8], existing: Existing) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    // A temporary file has mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    let persisted = match existing {
        Existing::Replaced => file.persist(path),
        Existing::Kept => file.persist_noclobber(path),
    };
    persisted.map(drop).map_err(|error| error.error)
}
