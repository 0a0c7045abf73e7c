//! Reader for the journal of `powerloss.c`: the file operations of a process, in order.

use std::path::{Path, PathBuf};

/// Size of a record header in bytes.
const FRONT: usize = 40;

/// One file operation.
#[derive(Debug)]
pub(crate) enum Done {
    /// A file was opened with `O_CREAT` and may be new.
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

/// Reads a journal. A kill may truncate the last record, which then describes an unsynced operation.
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
        other => panic!("{}: operation not supported ({other})", text(path).display()),
    };
    Some((done, rest))
}
