//! Small file systems for tests with full disks.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::not_run::not_run;

/// Name of the file that fills a disk.
const FILLER: &str = "filler";

/// A small file system, unmounted on drop.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts a tmpfs of `size`, such as `24m`; returns `None` if the user may not mount.
    pub(crate) fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder.path());
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        not_run("cannot mount tmpfs");
        None
    }

    /// Fills the disk to its last block, as another program would. Takes what was freed since the last call, too.
    #[allow(dead_code, reason = "not used by all test binaries that have this module")]
    pub(crate) fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.path().join(FILLER)).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    /// Removes what [`SmallDisk::fill`] has written.
    #[allow(dead_code, reason = "not used by all test binaries that have this module")]
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.path().join(FILLER)).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.path().display());
    }
}
