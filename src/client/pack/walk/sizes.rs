//! Tells which files may have other content than their size says.

use super::info::Info;
use super::location::Location;

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
    pub(super) fn is_doubtful(&mut self, location: &Location, info: &Info) -> bool {
        if info.has_doubtful_size {
            return true;
        }
        let is_generated = match self.last {
            Some((last, is_generated)) if last == info.device => is_generated,
            _ => is_on_fuse(location),
        };
        self.last = Some((info.device, is_generated));
        is_generated
    }

    /// Returns whether the content of a file must be read to know its size.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "on Linux the answer depends on earlier ones")]
    pub(super) fn is_doubtful(&mut self, _: &Location, info: &Info) -> bool {
        info.has_doubtful_size
    }
}

/// Returns whether a program in user space answers for the file: it may estimate sizes.
#[cfg(target_os = "linux")]
fn is_on_fuse(location: &Location) -> bool {
    /// `FUSE_SUPER_MAGIC` of `linux/magic.h`.
    const FUSE: u64 = 0x6573_5546;
    let found = location.open().and_then(|file| Ok(rustix::fs::fstatfs(file.file())?));
    found.is_ok_and(|found| u64::try_from(found.f_type).is_ok_and(|kind| kind == FUSE))
}
