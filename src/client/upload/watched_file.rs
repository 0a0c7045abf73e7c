//! Open files of known size, and fingerprints that tell when a file may have changed.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::time::SystemTime;
#[cfg(unix)]
use std::time::{Duration, UNIX_EPOCH};

use super::source::{SourceChange, SourceError};

/// Open file of known size, watched for changes.
#[derive(Debug)]
pub struct WatchedFile {
    file: File,
    size: u64,
    /// Unix permissions, if the file is executable.
    executable_mode: Option<u32>,
    fingerprint: Fingerprint,
}

/// Fingerprint of one version of a file: modification time, device, inode and change time.
///
/// An equal fingerprint means equal content: the change time reveals a change even if the modification time was set
/// back. With another one, the content may still be the same, for example after `chmod`, `mv`, `ln` or `touch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    modified: Option<SystemTime>,
    inode: Inode,
}

#[cfg(unix)]
type Inode = (u64, u64, i64, i64);
#[cfg(not(unix))]
type Inode = ();

impl WatchedFile {
    /// Watches an open file.
    pub(in crate::client) fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let executable_mode = unix_mode(&metadata).filter(|mode| mode & 0o111 != 0);
        Ok(Self { size: metadata.len(), executable_mode, fingerprint: Fingerprint::of(&metadata), file })
    }

    /// Opens a path that was a regular file when listed; never blocks on a FIFO or device.
    pub(in crate::client) fn open_plain(path: &Path, follows_links: bool) -> io::Result<Self> {
        let mut options = File::options();
        options.read(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, plain_flags(follows_links).bits().cast_signed());
        #[cfg(not(unix))]
        let _ = follows_links;
        Self::of(options.open(path)?)
    }

    pub(in crate::client) const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    pub(in crate::client) const fn size(&self) -> u64 {
        self.size
    }

    pub(in crate::client) const fn executable_mode(&self) -> Option<u32> {
        self.executable_mode
    }

    pub(in crate::client) const fn file(&self) -> &File {
        &self.file
    }

    /// Returns the current metadata of the file.
    pub(in crate::client) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Fills `buffer` with the bytes from `offset` on.
    pub(in crate::client) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SourceError> {
        match read_exact_at(&self.file, buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(SourceChange::Shrunk.in_file(None)),
            outcome => Ok(outcome?),
        }
    }
}

impl Fingerprint {
    /// Returns the fingerprint of a file's metadata.
    pub(in crate::client) fn of(metadata: &Metadata) -> Self {
        Self { modified: modified(metadata), inode: inode(metadata) }
    }

    /// Returns the fingerprint of the metadata of a name in an open directory.
    #[cfg(unix)]
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "the types of the fields differ between systems"
    )]
    pub(in crate::client) fn of_stat(stat: &rustix::fs::Stat) -> Self {
        let inode = (stat.st_dev as u64, stat.st_ino as u64, stat.st_ctime as i64, stat.st_ctime_nsec as i64);
        Self { modified: time(stat.st_mtime as i64, stat.st_mtime_nsec as u64), inode }
    }

    /// Returns the modification time.
    pub(in crate::client) const fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    /// Returns whether the metadata has this fingerprint.
    pub(in crate::client) fn is_of(&self, metadata: &Metadata) -> bool {
        *self == Self::of(metadata)
    }

    /// Returns whether the metadata is of the same file, whatever its times.
    #[cfg(unix)]
    pub(in crate::client) fn is_same_file(&self, metadata: &Metadata) -> bool {
        let (device, number, ..) = inode(metadata);
        (device, number) == (self.inode.0, self.inode.1)
    }

    /// Returns whether the metadata is of the same file; this platform has no number for a file.
    #[cfg(not(unix))]
    pub(in crate::client) const fn is_same_file(&self, _: &Metadata) -> bool {
        true
    }
}

/// Returns the flags that open a regular file, and never wait for the other side of a FIFO.
#[cfg(unix)]
pub(in crate::client) fn plain_flags(follows_links: bool) -> rustix::fs::OFlags {
    use rustix::fs::OFlags;
    let flags = OFlags::NONBLOCK | OFlags::CLOEXEC;
    if follows_links { flags } else { flags | OFlags::NOFOLLOW }
}

/// Returns whether a file may have other content than its size says, and must be read to know.
///
/// Files of `/proc` have size 0, those of `/sys` claim 4096 bytes. Both occupy no blocks, like a sparse file.
#[cfg(unix)]
pub(in crate::client) fn has_doubtful_size(metadata: &Metadata) -> bool {
    metadata.is_file() && (metadata.len() == 0 || std::os::unix::fs::MetadataExt::blocks(metadata) == 0)
}

/// Returns whether a file may have other content than its size says, and must be read to know.
#[cfg(not(unix))]
pub(in crate::client) fn has_doubtful_size(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.len() == 0
}

/// Returns whether the content of `file` ends where its `metadata` says.
///
/// Also returns `true` if another program changes the size meanwhile: the upload notices such changes.
pub fn fills_its_size(file: &File, metadata: &Metadata) -> io::Result<bool> {
    let size = metadata.len();
    let fills = (size == 0 || has_byte_at(file, size - 1)?) && !has_byte_at(file, size)?;
    Ok(fills || file.metadata()?.len() != size)
}

fn has_byte_at(file: &File, offset: u64) -> io::Result<bool> {
    match read_exact_at(file, &mut [0], offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns the read, write and execute permissions; `None` on systems without them.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no permissions")]
pub(super) fn unix_mode(metadata: &Metadata) -> Option<u32> {
    Some(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777)
}

#[cfg(not(unix))]
pub(super) const fn unix_mode(_: &Metadata) -> Option<u32> {
    None
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    // Without modification times on a file system, only the size and the tags of segments sealed again are compared.
    metadata.modified().ok()
}

/// Returns the time of this second and nanosecond since 1970 (UTC), if this system can represent it.
#[cfg(unix)]
fn time(second: i64, nanosecond: u64) -> Option<SystemTime> {
    let distance = Duration::from_secs(second.unsigned_abs());
    let at = if second < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    at?.checked_add(Duration::from_nanos(nanosecond))
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> Inode {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
const fn inode(_: &Metadata) -> Inode {}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn fills(file: &File) -> bool {
        fills_its_size(file, &file.metadata().unwrap()).unwrap()
    }

    #[test]
    fn files_on_disk_fill_their_size() {
        let mut file = tempfile::tempfile().unwrap();
        assert!(fills(&file));
        file.write_all(b"content").unwrap();
        assert!(fills(&file));
        // A sparse file without any block.
        let sparse = tempfile::tempfile().unwrap();
        sparse.set_len(1 << 40).unwrap();
        assert!(has_doubtful_size(&sparse.metadata().unwrap()));
        assert!(fills(&sparse));
    }

    #[test]
    fn a_file_that_changes_its_size_is_left_to_later_checks() {
        let mut file = tempfile::tempfile().unwrap();
        let before = file.metadata().unwrap();
        file.write_all(b"content").unwrap();
        assert!(fills_its_size(&file, &before).unwrap());
        let before = file.metadata().unwrap();
        file.set_len(2).unwrap();
        assert!(fills_its_size(&file, &before).unwrap());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn generated_files_do_not_fill_their_size() {
        for path in ["/proc/self/status", "/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"] {
            let Ok(file) = File::open(path) else { continue };
            assert!(has_doubtful_size(&file.metadata().unwrap()) && !fills(&file), "{path}");
        }
    }
}
