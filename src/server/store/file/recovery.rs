//! What a power loss makes doubtful: the ends of payloads that were arriving.
//!
//! A system may make a file longer before what it holds is on the disk. A process that is killed leaves no such thing,
//! and needs its bytes back to the last one; so what counts is whether the system was started since.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::Durability;
use super::folder::sync_directory;
use super::part::sure_of;

/// Names the run of the system that the partial files are from.
const MARK: &str = "last-boot";

/// Where Linux names its present run. Elsewhere the ends are taken as they are found.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Cuts the partial files under `payloads` back to what is on the disk for sure, if the system was started since.
pub(super) fn cut_back(directory: &Path, payloads: &Path, durability: Durability) -> io::Result<()> {
    let Ok(this_boot) = fs::read(BOOT_ID) else { return Ok(()) };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut mark = options.open(directory.join(MARK))?;
    // Until this ends no other process opens the store, and so none writes.
    mark.lock()?;
    let mut last_boot = Vec::new();
    mark.read_to_end(&mut last_boot)?;
    if last_boot == this_boot {
        return Ok(());
    }
    for shard in fs::read_dir(payloads)? {
        for file in fs::read_dir(shard?.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                cut(&path, durability)?;
            }
        }
    }
    // In place: a disk that is full has room for that.
    mark.rewind()?;
    mark.write_all(&this_boot)?;
    mark.set_len(this_boot.len() as u64)?;
    if durability == Durability::Full {
        mark.sync_all()?;
    }
    sync_directory(directory, durability)
}

fn cut(path: &Path, durability: Durability) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    file.set_len(sure_of(file.metadata()?.len()))?;
    if durability == Durability::Full { file.sync_all() } else { Ok(()) }
}

// What is only for tests is told by `cfg(test)` alone to lints.
#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    fn cut_after(last_boot: &str, length: usize) -> u64 {
        let directory = tempfile::tempdir().unwrap();
        let payloads = directory.path().join("payloads");
        fs::create_dir_all(payloads.join("00")).unwrap();
        let (part, whole) = (payloads.join("00/a.part"), payloads.join("00/b.enc"));
        for file in [&part, &whole] {
            fs::write(file, vec![1; length]).unwrap();
        }
        fs::write(directory.path().join(MARK), last_boot).unwrap();
        for _ in 0..2 {
            cut_back(directory.path(), &payloads, Durability::Full).unwrap();
        }
        assert_eq!(fs::metadata(whole).unwrap().len(), length as u64, "what is final was cut");
        fs::metadata(part).unwrap().len()
    }

    #[test]
    fn ends_are_cut_off_once_after_the_system_was_started() {
        let this_boot = fs::read_to_string(BOOT_ID).unwrap();
        let other_boot = "x".repeat(this_boot.len());
        assert_eq!(cut_after(&this_boot, 5 << 20), 5 << 20);
        assert_eq!(cut_after(&other_boot, 5 << 20), 0);
        assert_eq!(cut_after(&other_boot, 9 << 20), 8 << 20);
        // Nobody knows whether the sync came about that the last byte called for.
        assert_eq!(cut_after(&other_boot, 16 << 20), 8 << 20);
    }
}
