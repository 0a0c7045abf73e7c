//! The reader of tars: entry by entry, off a stream, in bounded memory.

use std::io::{self, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tar::{EntryType, Header};

use super::pax::{Modified, Records};
use super::tree::OpenFile;
use super::{UnpackError, Watch};

const BLOCK: usize = 512;
/// The most bytes of a long name or of a pax header.
const MAX_EXTENSION: u64 = 64 * 1024;
/// How much is copied at once.
const COPIED: usize = 256 * 1024;

/// Reads a tar.
pub(super) struct Reader<R> {
    input: R,
    /// Bytes of the entry's content, and of the gap behind it, that were not read.
    content: u64,
    gap: u64,
    buffer: Vec<u8>,
}

/// An entry; its content follows.
#[derive(Debug)]
pub(super) struct Entry {
    pub path: Vec<u8>,
    pub kind: Kind,
    pub mode: u32,
    pub modified: Option<SystemTime>,
}

/// What an entry is.
#[derive(Debug)]
pub(super) enum Kind {
    File,
    Directory,
    Link { target: Vec<u8> },
}

impl<R: Read> Reader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, content: 0, gap: 0, buffer: vec![0; COPIED] }
    }

    /// The next entry; none behind the last.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, UnpackError> {
        let mut records = Records::default();
        let mut is_extended = false;
        loop {
            let Some(header) = self.header()? else {
                return if is_extended { Err(UnpackError::Damaged("it ends within an entry")) } else { Ok(None) };
            };
            let size = header.entry_size().map_err(|_| UnpackError::Damaged("a header states no size"))?;
            match header.entry_type() {
                EntryType::GNULongName => records.path = Some(self.long_name(size)?),
                EntryType::GNULongLink => records.target = Some(self.long_name(size)?),
                EntryType::XHeader => records.add(&self.extension(size)?)?,
                EntryType::XGlobalHeader => {
                    let mut of_all = Records::default();
                    of_all.add(&self.extension(size)?)?;
                    if of_all.is_about_one() {
                        return Err(UnpackError::Damaged("a pax header gives all entries one name or size"));
                    }
                    continue;
                }
                _ => return self.entry(&header, size, records).map(Some),
            }
            is_extended = true;
        }
    }

    /// Copies the content of the entry that was read last.
    pub(super) fn copy_content(&mut self, mut output: OpenFile<'_>, watch: &Watch) -> Result<(), UnpackError> {
        while self.content > 0 {
            watch.check()?;
            let length = usize::try_from(self.content).unwrap_or(COPIED).min(COPIED);
            self.input.read_exact(&mut self.buffer[..length]).map_err(of_read)?;
            output.write_all(&self.buffer[..length])?;
            self.content -= length as u64;
        }
        Ok(())
    }

    fn entry(&mut self, header: &Header, size: u64, records: Records) -> Result<Entry, UnpackError> {
        let path = records.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let size = records.size.unwrap_or(size);
        let refused = |why: &str| UnpackError::refused(&path, &why);
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => {
                let in_header = || header.link_name_bytes().map(std::borrow::Cow::into_owned);
                Kind::Link { target: records.target.or_else(in_header).unwrap_or_default() }
            }
            EntryType::Link => return Err(refused("is a hard link")),
            EntryType::Char | EntryType::Block => return Err(refused("is a device")),
            EntryType::Fifo => return Err(refused("is a fifo")),
            EntryType::GNUSparse => return Err(refused("is a file with holes")),
            _ => return Err(refused("is neither file nor directory nor link")),
        };
        if size > 0 && !matches!(kind, Kind::File) {
            return Err(refused("is no file, and has content"));
        }
        let mode = header.mode().map_err(|_| refused("has no permissions"))? & 0o777;
        let modified = match records.modified {
            Modified::At(time) => Some(time),
            Modified::Unknown => None,
            Modified::Untold => header.mtime().ok().and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at))),
        };
        self.content = size;
        self.gap = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        Ok(Entry { path, kind, mode, modified })
    }

    /// The next header; none where the archive ends in order.
    fn header(&mut self) -> Result<Option<Header>, UnpackError> {
        debug_assert_eq!(self.content, 0, "content is read before the next header");
        let gap = usize::try_from(std::mem::take(&mut self.gap)).expect("less than a block");
        self.input.read_exact(&mut self.buffer[..gap]).map_err(of_read)?;
        let mut header = Header::new_old();
        self.input.read_exact(header.as_mut_bytes()).map_err(of_read)?;
        let bytes = header.as_bytes();
        if bytes.iter().all(|byte| *byte == 0) {
            return self.end().map(|()| None);
        }
        // Each byte of the sum itself counts as a space.
        let sum = bytes.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
        if header.cksum().ok() != Some(sum.map(u32::from).sum()) {
            return Err(UnpackError::Damaged("the sum of a header is wrong"));
        }
        Ok(Some(header))
    }

    /// Checks that the archive ends with a second block of zeros, and nothing but zeros behind it: what `tar` would not show
    /// is not passed over.
    fn end(&mut self) -> Result<(), UnpackError> {
        self.input.read_exact(&mut self.buffer[..BLOCK]).map_err(of_read)?;
        let mut read = BLOCK;
        while read > 0 {
            if self.buffer[..read].iter().any(|byte| *byte != 0) {
                return Err(UnpackError::Damaged("something stands behind its end"));
            }
            read = match self.input.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome => outcome.map_err(UnpackError::Read)?,
            };
        }
        Ok(())
    }

    /// A name as GNU tar writes it where a header has no room: with a zero behind it.
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
        let size = usize::try_from(size).expect("it was looked at");
        let mut extension = vec![0; size.next_multiple_of(BLOCK)];
        self.input.read_exact(&mut extension).map_err(of_read)?;
        extension.truncate(size);
        Ok(extension)
    }
}

fn of_read(error: io::Error) -> UnpackError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => UnpackError::Damaged("it ends before its end"),
        _ => UnpackError::Read(error),
    }
}
