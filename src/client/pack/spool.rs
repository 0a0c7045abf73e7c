//! Temporary copy of files whose size is not the length of their content.

use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::error::PackError;
use crate::client::upload::WatchedFile;

/// Anonymous temporary file with the contents of all such files, one after the other.
#[derive(Debug, Default)]
pub(super) struct Spool {
    copy: Option<WatchedFile>,
    length: u64,
}

impl Spool {
    /// Appends the content of `file`, which is named `name`, and returns its offset and size. Blocks.
    ///
    /// The outer error ends packing: the temporary file cannot be written, or would exceed `limit` bytes.
    pub(super) fn add(
        &mut self,
        file: &File,
        name: &str,
        limit: u64,
    ) -> Result<Result<(u64, u64), io::Error>, PackError> {
        let failed = |source| PackError::Spool { folder: env::temp_dir(), source };
        if self.copy.is_none() {
            let made = tempfile::tempfile().and_then(WatchedFile::of);
            self.copy = Some(made.map_err(failed)?);
        }
        let copy = self.copy.as_ref().expect("the temporary file was created above");
        let (start, mut output) = (self.length, copy.file());
        output.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut input = file.take(limit.saturating_sub(start).saturating_add(1));
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = match input.read(&mut buffer) {
                Ok(0) => return Ok(Ok((start, self.length - start))),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.length = start;
                    return Ok(Err(error));
                }
            };
            output.write_all(&buffer[..length]).map_err(failed)?;
            self.length += length as u64;
            if self.length > limit {
                return Err(PackError::TooLarge { name: name.to_owned(), limit });
            }
        }
    }

    /// Fills `buffer` with the spooled bytes from `offset` on.
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let copy = self.copy.as_ref().ok_or(io::ErrorKind::UnexpectedEof)?;
        copy.read_exact_at(buffer, offset).map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }
}
