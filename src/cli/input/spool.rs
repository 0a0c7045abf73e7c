//! Copies an input that cannot be read twice, such as stdin, into a temporary file.

use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use anyhow::Result;

use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::failure::table::hint_of_io;
use crate::client::upload::{UploadError, UploadSource, fills_its_size};

/// Upper limit of a spooled stream in bytes (16 GiB), even if the server accepts more.
pub(super) const MAX_SPOOL: u64 = 16 << 30;

/// Opens a regular file, or spools any other readable input. Returns whether it was spooled. Blocks.
pub(super) fn open_or_spool(path: &Path, limit: u64, allow_empty: bool) -> Result<(UploadSource, bool)> {
    let failed = |error: io::Error| {
        let message = format!("{} cannot be read: {error}", path.display());
        Failure::new(Exit::LocalFile, "file_unreadable", message).hint(hint_of_io(&error))
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Ok((spool_stream(file, &path.display().to_string(), limit, allow_empty)?, true));
    }
    // The size of a generated file, such as one in /proc, is not the length of its content.
    if fills_its_size(&file, &metadata).map_err(failed)? {
        return Ok((UploadSource::of(file).map_err(failed)?, false));
    }
    Ok((spool(file, limit)?, true))
}

/// Spools a pipe or stdin, named `name`, up to `limit` bytes. An empty one usually comes from a command that failed.
pub(super) fn spool_stream(input: impl Read, name: &str, limit: u64, allow_empty: bool) -> Result<UploadSource> {
    let source = spool(input, limit)?;
    if source.size() == 0 && !allow_empty {
        let failure =
            Failure::new(Exit::LocalFile, "empty_input", format!("{name} is empty: there is nothing to send"));
        return Err(failure.hint("check the command that writes the input, or add --allow-empty").into());
    }
    Ok(source)
}

/// Spools a stream to an anonymous temporary file, up to `limit` bytes and at most [`MAX_SPOOL`].
fn spool(input: impl Read, limit: u64) -> Result<UploadSource> {
    let limit = limit.min(MAX_SPOOL);
    let mut file = tempfile::tempfile().map_err(|error| cannot_buffer(&error))?;
    let mut input = input.take(limit.saturating_add(1));
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let length = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let failure =
                    Failure::new(Exit::LocalFile, "file_unreadable", format!("cannot read the input: {error}"));
                return Err(failure.hint(hint_of_io(&error)).into());
            }
        };
        file.write_all(&buffer[..length]).map_err(|error| cannot_buffer(&error))?;
        size += length as u64;
    }
    if size > limit {
        return Err(UploadError::TooLarge { name: "the input".to_owned(), size: None, limit }.into());
    }
    file.rewind().map_err(|error| cannot_buffer(&error))?;
    Ok(UploadSource::of(file).map_err(|error| cannot_buffer(&error))?)
}

/// Returns the failure of the temporary file, with its folder.
fn cannot_buffer(error: &io::Error) -> Failure {
    let folder = env::temp_dir();
    let message = format!("cannot buffer the input in {}: {error}", folder.display());
    Failure::new(Exit::LocalFile, "spool", message).hint(SPOOL_HINT)
}

/// Hint for temporary files that cannot be written.
pub(crate) const SPOOL_HINT: &str = "free space in that folder, or set TMPDIR to a writable folder with more space";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_spooled_up_to_the_limit() {
        assert_eq!(spool(&b"12345"[..], 5).unwrap().size(), 5);
        let error = spool(&b"123456"[..], 5).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(UploadError::TooLarge { limit: 5, .. })));
    }

    #[test]
    fn an_empty_stream_is_accepted_only_on_request() {
        assert_eq!(Failure::of(&spool_stream(io::empty(), "stdin", 5, false).unwrap_err()).code, "empty_input");
        assert_eq!(spool_stream(io::empty(), "stdin", 5, true).unwrap().size(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn files_with_unknown_length_are_spooled() {
        let (source, is_spooled) = open_or_spool(Path::new("/proc/self/status"), 1_000_000, false).unwrap();
        assert!(source.size() > 0 && is_spooled);
        let empty = tempfile::NamedTempFile::new().unwrap();
        empty.as_file().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(open_or_spool(empty.path(), 5, false).unwrap().0.modified_ms(), Some(0));
    }
}
