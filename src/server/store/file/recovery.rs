//! Recovery after a power loss: truncates partial payloads to the bytes that are certainly on disk.
//!
//! A file system may extend a file before its data is on disk, so after a power loss the end of a partial file can be
//! garbage. After a killed process the page cache is intact, so all written bytes are valid. The boot id of the system
//! distinguishes the two cases.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::Durability;
use super::folder::sync_directory;
use super::part::synced_prefix;

/// Name of the file that holds the boot id under which the partial files were written.
const BOOT_FILE: &str = "last-boot";

/// Path of the boot id on Linux. On other systems partial files are never truncated.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Truncates the partial files under `payloads` to their synced length, after a reboot only.
pub(super) fn truncate_unsynced(directory: &Path, payloads: &Path, durability: Durability) -> io::Result<()> {
    let Ok(this_boot) = fs::read(BOOT_ID) else { return Ok(()) };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut boot_file = options.open(directory.join(BOOT_FILE))?;
    // The lock keeps other processes from opening the store, and so from writing, until recovery is done.
    boot_file.lock()?;
    let mut last_boot = Vec::new();
    boot_file.read_to_end(&mut last_boot)?;
    if last_boot == this_boot {
        return Ok(());
    }
    for shard in fs::read_dir(payloads)? {
        for file in fs::read_dir(shard?.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                truncate(&path, durability)?;
            }
        }
    }
    // Overwrites the file in place, which needs no free space on a full disk.
    boot_file.rewind()?;
    boot_file.write_all(&this_boot)?;
    boot_file.set_len(this_boot.len() as u64)?;
    if durability == Durability::Full {
        boot_file.sync_all()?;
    }
    sync_directory(directory, durability)
}

fn truncate(path: &Path, durability: Durability) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    file.set_len(synced_prefix(file.metadata()?.len()))?;
    if durability == Durability::Full { file.sync_all() } else { Ok(()) }
}

// Separate attributes, because lints recognise test code by a plain `cfg(test)` only.
#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    fn recovered_length(last_boot: &str, length: usize) -> u64 {
        let directory = tempfile::tempdir().unwrap();
        let payloads = directory.path().join("payloads");
        fs::create_dir_all(payloads.join("00")).unwrap();
        let (part, whole) = (payloads.join("00/a.part"), payloads.join("00/b.enc"));
        for file in [&part, &whole] {
            fs::write(file, vec![1; length]).unwrap();
        }
        fs::write(directory.path().join(BOOT_FILE), last_boot).unwrap();
        for _ in 0..2 {
            truncate_unsynced(directory.path(), &payloads, Durability::Full).unwrap();
        }
        assert_eq!(fs::metadata(whole).unwrap().len(), length as u64, "a finished payload was truncated");
        fs::metadata(part).unwrap().len()
    }

    #[test]
    fn partial_files_are_truncated_once_after_a_reboot() {
        let this_boot = fs::read_to_string(BOOT_ID).unwrap();
        let other_boot = "x".repeat(this_boot.len());
        assert_eq!(recovered_length(&this_boot, 5 << 20), 5 << 20);
        assert_eq!(recovered_length(&other_boot, 5 << 20), 0);
        assert_eq!(recovered_length(&other_boot, 9 << 20), 8 << 20);
        // The sync that the last byte triggers may not have completed.
        assert_eq!(recovered_length(&other_boot, 16 << 20), 8 << 20);
    }
}
