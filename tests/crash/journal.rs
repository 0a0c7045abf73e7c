//! The journal that `powerloss.c` writes: what a process did to its files, in order.

use std::path::{Path, PathBuf};

/// The size of what stands in front of each record.
const FRONT: usize = 40;

/// One thing that was done.
#[derive(Debug)]
pub(crate) enum Done {
    /// A file was opened that may have been made.
    Opened {
        path: PathBuf,
        inode: u64,
    },
    Wrote {
        inode: u64,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncated {
        inode: u64,
        length: usize,
    },
    Renamed {
        from: PathBuf,
        to: PathBuf,
    },
    Linked {
        from: PathBuf,
        to: PathBuf,
    },
    Unlinked {
        path: PathBuf,
    },
    MadeFolder {
        path: PathBuf,
    },
    SyncedFile {
        inode: u64,
    },
    SyncedFolder {
        path: PathBuf,
    },
}

/// Reads a journal. The process may have been killed while it wrote the last record, of something that is not synced.
pub(crate) fn read(journal: &Path) -> Vec<Done> {
    let bytes = std::fs::read(journal).unwrap_or_default();
    let (mut rest, mut done) = (bytes.as_slice(), Vec::new());
    while let Some((one, after)) = record(rest) {
        done.push(one);
        rest = after;
    }
    done
}

fn record(bytes: &[u8]) -> Option<(Done, &[u8])> {
    let (front, rest) = bytes.split_at_checked(FRONT)?;
    let long = |at: usize| u64::from_ne_bytes(front[at..at + 8].try_into().unwrap());
    let short = |at: usize| u32::from_ne_bytes(front[at..at + 4].try_into().unwrap()) as usize;
    let (inode, offset, length) = (long(0), usize::try_from(long(8)).unwrap(), usize::try_from(long(16)).unwrap());
    let kind = front[32];
    let (path, rest) = rest.split_at_checked(short(24))?;
    let (other, rest) = rest.split_at_checked(short(28))?;
    let (data, rest) = rest.split_at_checked(if kind == b'w' { length } else { 0 })?;
    let text = |bytes: &[u8]| PathBuf::from(String::from_utf8(bytes.to_vec()).unwrap());
    let done = match kind {
        b'o' => Done::Opened { path: text(path), inode },
        b'w' => Done::Wrote { inode, at: offset, bytes: data.to_vec() },
        b't' => Done::Truncated { inode, length: offset },
        b'r' => Done::Renamed { from: text(path), to: text(other) },
        b'l' => Done::Linked { from: text(path), to: text(other) },
        b'u' => Done::Unlinked { path: text(path) },
        b'm' => Done::MadeFolder { path: text(path) },
        b's' => Done::SyncedFile { inode },
        b'd' => Done::SyncedFolder { path: text(path) },
        other => panic!("{} is followed nowhere ({other})", text(path).display()),
    };
    Some((done, rest))
}
