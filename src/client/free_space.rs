//! Free space of a file system, as far as it can be told.

use std::io;
use std::path::Path;

/// Returns the bytes that this user can still write to the file system of `path`. Returns `None` if that cannot be
/// told.
#[must_use]
pub fn available(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    // Some FUSE file systems report no size at all.
    if disk.f_blocks == 0 {
        return None;
    }
    // Root may use the reserved blocks.
    let blocks = if rustix::process::geteuid().is_root() { disk.f_bfree } else { disk.f_bavail };
    Some(blocks.saturating_mul(disk.f_frsize))
}

/// Returns whether an error reports a full disk, or an exceeded quota or file size limit.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_free_space_is_no_number() {
        assert_eq!(available(Path::new("/nonexistent/directory")), None);
        // A file system without blocks.
        #[cfg(target_os = "linux")]
        assert_eq!(available(Path::new("/proc")), None);
        assert!(available(&std::env::temp_dir()).is_some());
    }
}
