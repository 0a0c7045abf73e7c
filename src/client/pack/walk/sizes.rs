//! Tells which files may have other content than their size says.

use std::fs::Metadata;
use std::path::Path;

use crate::client::upload::has_doubtful_size;

/// Answers for files of the same file system, which is asked once.
#[derive(Debug, Default)]
pub(super) struct DoubtfulSizes {
    /// Number of the last device, and whether a program generates its files.
    #[cfg(target_os = "linux")]
    last: Option<(u64, bool)>,
}

impl DoubtfulSizes {
    /// Returns whether the content of a file must be read to know its size.
    #[cfg(target_os = "linux")]
    pub(super) fn is_doubtful(&mut self, path: &Path, metadata: &Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;
        if has_doubtful_size(metadata) {
            return true;
        }
        let device = metadata.dev();
        let is_generated = match self.last {
            Some((last, is_generated)) if last == device => is_generated,
            _ => is_on_fuse(path),
        };
        self.last = Some((device, is_generated));
        is_generated
    }

    /// Returns whether the content of a file must be read to know its size.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "on Linux the answer depends on earlier ones")]
    pub(super) fn is_doubtful(&mut self, _: &Path, metadata: &Metadata) -> bool {
        has_doubtful_size(metadata)
    }
}

/// Returns whether a program in user space answers for the file: it may estimate sizes.
#[cfg(target_os = "linux")]
fn is_on_fuse(path: &Path) -> bool {
    /// `FUSE_SUPER_MAGIC` of `linux/magic.h`.
    const FUSE: u64 = 0x6573_5546;
    rustix::fs::statfs(path).is_ok_and(|found| u64::try_from(found.f_type).is_ok_and(|kind| kind == FUSE))
}
