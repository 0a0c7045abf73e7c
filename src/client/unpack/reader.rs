//! Streaming tar reader with bounded memory.

use std::io::{self, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tar::{EntryType, Header};

use super::pax::{Modified, PaxRecords};
use super::tree::OpenFile;
use super::{UnpackError, Watch};
use crate::domain::archive::{INDEX_FRAME_BYTES, INDEX_MAGIC, MAX_INDEX_BYTES};

const BLOCK: usize = 512;
/// Maximum size of a long name or pax header in bytes.
const MAX_EXTENSION: u64 = 64 * 1024;
/// Buffer size for copying content, in bytes.
const BUFFER: usize = 256 * 1024;

/// Reader of a tar archive.
pub(super) struct Reader<R> {
    input: R,
    /// Unread content of the current entry, in bytes.
    content: u64,
    /// Unread padding after the content, in bytes.
    padding: u64,
    buffer: Vec<u8>,
}

/// Header of an entry; the content follows in the stream.
#[derive(Debug)]
pub(super) struct UnpackedEntry {
    pub path: Vec<u8>,
    pub kind: UnpackedKind,
    pub mode: u32,
    pub modified: Option<SystemTime>,
}

/// Kind of an entry.
#[derive(Debug)]
pub(super) enum UnpackedKind {
    File,
    Directory,
    Link { target: Vec<u8> },
}

impl<R: Read> Reader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, content: 0, padding: 0, buffer: vec![0; BUFFER] }
    }

    /// Creates a reader of an entry's headers, with a small buffer.
    pub(super) fn of_head(input: R) -> Self {
        Self { input, content: 0, padding: 0, buffer: vec![0; BLOCK] }
    }

    /// Returns the rest of the input, and the content size of the current entry in bytes.
    pub(super) fn into_rest(self) -> (R, u64) {
        (self.input, self.content)
    }

    /// Reads the next entry; `None` at the end of the archive.
    pub(super) fn next(&mut self) -> Result<Option<UnpackedEntry>, UnpackError> {
        let mut records = PaxRecords::default();
        let mut is_extended = false;
        loop {
            let Some(header) = self.header()? else {
                return if is_extended { Err(UnpackError::Damaged("it ends within an entry")) } else { Ok(None) };
            };
            let size = header.entry_size().map_err(|_| UnpackError::Damaged("a header has an invalid size"))?;
            match header.entry_type() {
                EntryType::GNULongName => records.path = Some(self.long_name(size)?),
                EntryType::GNULongLink => records.target = Some(self.long_name(size)?),
                EntryType::XHeader => records.add(&self.extension(size)?)?,
                EntryType::XGlobalHeader => {
                    let mut global = PaxRecords::default();
                    global.add(&self.extension(size)?)?;
                    if global.is_specific() {
                        return Err(UnpackError::Damaged("a pax header gives all entries one name or size"));
                    }
                    continue;
                }
                _ => return self.entry(&header, size, records).map(Some),
            }
            is_extended = true;
        }
    }

    /// Copies the content of the current entry to `output`.
    pub(super) fn copy_content(&mut self, mut output: OpenFile<'_>, watch: &Watch) -> Result<(), UnpackError> {
        while self.content > 0 {
            watch.check()?;
            let length = usize::try_from(self.content).unwrap_or(BUFFER).min(BUFFER);
            self.input.read_exact(&mut self.buffer[..length]).map_err(read_error)?;
            output.write_all(&self.buffer[..length])?;
            self.content -= length as u64;
        }
        Ok(())
    }

    fn entry(&mut self, header: &Header, size: u64, records: PaxRecords) -> Result<UnpackedEntry, UnpackError> {
        let path = records.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let size = records.size.unwrap_or(size);
        let rejected = |reason: &str| UnpackError::rejected(&path, &reason);
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous => UnpackedKind::File,
            EntryType::Directory => UnpackedKind::Directory,
            EntryType::Symlink => {
                let in_header = || header.link_name_bytes().map(std::borrow::Cow::into_owned);
                UnpackedKind::Link { target: records.target.or_else(in_header).unwrap_or_default() }
            }
            EntryType::Link => return Err(rejected("is a hard link")),
            EntryType::Char | EntryType::Block => return Err(rejected("is a device")),
            EntryType::Fifo => return Err(rejected("is a FIFO")),
            EntryType::GNUSparse => return Err(rejected("is a sparse file")),
            _ => return Err(rejected("is neither a file, a directory nor a symlink")),
        };
        if size > 0 && !matches!(kind, UnpackedKind::File) {
            return Err(rejected("is not a file, but has content"));
        }
        let mode = header.mode().map_err(|_| rejected("has invalid permissions"))? & 0o777;
        let modified = match records.modified {
            Modified::At(time) => Some(time),
            Modified::Invalid => None,
            Modified::Absent => header.mtime().ok().and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at))),
        };
        self.content = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        Ok(UnpackedEntry { path, kind, mode, modified })
    }

    /// Reads the next header; `None` at a valid end of the archive.
    fn header(&mut self) -> Result<Option<Header>, UnpackError> {
        debug_assert_eq!(self.content, 0, "the content of the previous entry was not read");
        let padding = usize::try_from(std::mem::take(&mut self.padding)).expect("the padding is less than a block");
        self.input.read_exact(&mut self.buffer[..padding]).map_err(read_error)?;
        let mut header = Header::new_old();
        self.input.read_exact(header.as_mut_bytes()).map_err(read_error)?;
        let bytes = header.as_bytes();
        if bytes.iter().all(|byte| *byte == 0) {
            return self.end().map(|()| None);
        }
        // The checksum counts its own 8 bytes as spaces.
        let sum = bytes.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
        if header.cksum().ok() != Some(sum.map(u32::from).sum()) {
            return Err(UnpackError::Damaged("a header has a wrong checksum"));
        }
        Ok(Some(header))
    }

    /// Checks that the archive ends with a second zero block, followed by an index or by zeros only.
    ///
    /// Rejects other data, since `tar` would not list it.
    fn end(&mut self) -> Result<(), UnpackError> {
        const OTHER: UnpackError = UnpackError::Damaged("it has data after its end");
        self.input.read_exact(&mut self.buffer[..BLOCK]).map_err(read_error)?;
        if self.buffer[..BLOCK].iter().any(|byte| *byte != 0) {
            return Err(OTHER);
        }
        let mut magic = Vec::with_capacity(INDEX_MAGIC.len());
        self.input.by_ref().take(INDEX_MAGIC.len() as u64).read_to_end(&mut magic).map_err(UnpackError::Read)?;
        let has_index = magic == INDEX_MAGIC;
        if !has_index && magic.iter().any(|byte| *byte != 0) {
            return Err(OTHER);
        }
        let (mut length, mut last) = (magic.len() as u64, 0_u64);
        loop {
            let read = match self.input.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome => outcome.map_err(UnpackError::Read)?,
            };
            if read == 0 {
                break;
            }
            length += read as u64;
            let is_valid = if has_index {
                // The last eight bytes are the length of the index.
                let tail = &self.buffer[read.saturating_sub(8)..read];
                last = tail.iter().fold(last, |last, byte| (last << 8) | u64::from(*byte));
                length <= MAX_INDEX_BYTES + INDEX_FRAME_BYTES
            } else {
                self.buffer[..read].iter().all(|byte| *byte == 0)
            };
            if !is_valid {
                return Err(OTHER);
            }
        }
        if has_index && last.checked_add(INDEX_FRAME_BYTES) != Some(length) { Err(OTHER) } else { Ok(()) }
    }

    /// Reads a long name of GNU tar, which ends with a zero byte.
    fn long_name(&mut self, size: u64) -> Result<Vec<u8>, UnpackError> {
        let mut name = self.extension(size)?;
        if name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, UnpackError> {
        if size > MAX_EXTENSION {
            return Err(UnpackError::Damaged("a name or a pax header has more than 64 KiB"));
        }
        let size = usize::try_from(size).expect("the size is at most 64 KiB");
        let mut extension = vec![0; size.next_multiple_of(BLOCK)];
        self.input.read_exact(&mut extension).map_err(read_error)?;
        extension.truncate(size);
        Ok(extension)
    }
}

fn read_error(error: io::Error) -> UnpackError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => UnpackError::Damaged("it is incomplete"),
        _ => UnpackError::Read(error),
    }
}
