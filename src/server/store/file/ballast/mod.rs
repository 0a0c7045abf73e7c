//! Reserve of a full disk: a file of allocated blocks, given up for commits that must always succeed.
//!
//! Deletions free space, but their records must be written first. A commit that may use the reserve and finds the disk
//! full truncates the file step by step until the commit succeeds. The space that the commit leaves is allocated again at once,
//! and the rest as soon as there is room, so that other programs on the disk cannot take it.
//!
//! The blocks are real on file systems that overwrite in place, such as ext4, XFS and tmpfs. A file system that
//! compresses gets random bytes, and one that copies on write (btrfs, ZFS) frees them as soon as no snapshot holds
//! them.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::folder::free_space_at;
use crate::domain::crypto::random;
use crate::domain::limits::free_space::Reserve;

/// Name of the file.
pub(super) const FILE_NAME: &str = "reserve";

/// Maximum size of the reserve, for the write-ahead log (16 MiB) and new pages of the database.
const MAX_BYTES: u64 = 32 << 20;
/// Share of a small disk that the reserve takes: one eighth.
const DISK_SHARE: u64 = 8;
/// Number of steps in which the reserve is given up.
const STEPS: u64 = 32;
/// Minimum size of a step, and granularity of the reserve.
const MIN_STEP: u64 = 64 << 10;
/// Maximum wait for another process that uses the reserve.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval between two attempts to lock the file.
const LOCK_PAUSE: Duration = Duration::from_millis(1);

/// The reserve of a store, shared by all processes that have the store open.
pub(super) struct Ballast {
    /// The open file; `None` if it cannot be opened.
    file: Option<Mutex<File>>,
    target: u64,
    /// Number of bytes of the target that are not allocated, as of the last change.
    missing: AtomicU64,
}

/// The file, locked against other threads and processes.
struct LockedFile<'a>(MutexGuard<'a, File>);

impl Ballast {
    /// Opens the reserve in `directory`, and allocates as much of it as there is room for.
    ///
    /// A reserve that cannot be opened is reported in the log; the store works without it.
    pub(super) fn open(directory: &Path) -> Self {
        let opened = open_file(directory);
        if let Err(error) = &opened {
            tracing::warn!(%error, "cannot open the reserve for a full disk; deletions may fail when the disk is full");
        }
        let (file, target) = opened.map_or((None, 0), |(file, target)| (Some(Mutex::new(file)), target));
        let ballast = Self { file, target, missing: AtomicU64::new(0) };
        ballast.refill();
        ballast
    }

    /// Returns the allocated and the intended size.
    pub(super) fn size(&self) -> Reserve {
        Reserve { held: self.target - self.missing(), target: self.target }
    }

    /// Returns the number of bytes that are not allocated.
    pub(super) fn missing(&self) -> u64 {
        self.missing.load(Ordering::Relaxed)
    }

    /// Allocates missing bytes as far as there is room. Returns whether the reserve is whole.
    ///
    /// Skips a reserve that another process uses at the moment.
    pub(super) fn refill(&self) -> bool {
        if let Some(mut file) = self.try_lock() {
            self.refill_locked(&mut file.0);
        }
        self.missing() == 0
    }

    /// Returns whether the disk has room for a little more than the reserve.
    pub(super) fn has_room_beside(&self) -> bool {
        let Some(mut file) = self.try_lock() else { return false };
        self.refill_locked(&mut file.0);
        if self.missing() > 0 {
            return false;
        }
        let has_room = allocate(&mut file.0, self.target, self.target + MIN_STEP).is_ok();
        has_room && file.0.set_len(self.target).is_ok()
    }

    /// Runs `attempt` until the disk is no longer full for it, with ever more of the reserve given up.
    pub(super) fn spend<T, E>(
        &self,
        is_full: impl Fn(&E) -> bool,
        mut attempt: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut result = attempt();
        if !result.as_ref().is_err_and(&is_full) {
            return result;
        }
        // Locked until the end: nobody allocates again what this attempt needs.
        let Some(mut file) = self.lock() else { return result };
        while result.as_ref().is_err_and(&is_full) && self.give_up_step(&mut file.0) {
            result = attempt();
        }
        self.refill_locked(&mut file.0);
        result
    }

    /// Truncates the file by one step; returns whether there was anything to give up.
    fn give_up_step(&self, file: &mut File) -> bool {
        let Ok(held) = length(file) else { return false };
        let rest = held.saturating_sub(self.step());
        if held == 0 || file.set_len(rest).is_err() {
            return false;
        }
        self.missing.store(self.target.saturating_sub(rest), Ordering::Relaxed);
        true
    }

    /// Returns the size of a step in bytes.
    fn step(&self) -> u64 {
        (self.target / STEPS / MIN_STEP * MIN_STEP).max(MIN_STEP)
    }

    fn refill_locked(&self, file: &mut File) {
        let Ok(mut held) = length(file) else { return };
        let mut step = self.target;
        while held < self.target {
            // The last bytes of the disk are not worth several attempts.
            let Ok(room) = free_space_of(file) else { break };
            step = step.min(room / MIN_STEP * MIN_STEP);
            // The last step may be shorter, for example after a crash within one.
            let bytes = step.min(self.target - held);
            if bytes == 0 {
                break;
            }
            match allocate(file, held, held + bytes) {
                Ok(()) => held += bytes,
                Err(_) => step = step / 2 / MIN_STEP * MIN_STEP,
            }
        }
        self.missing.store(self.target.saturating_sub(held), Ordering::Relaxed);
    }

    /// Locks the file, and waits for other processes; after a timeout, works without their consent.
    fn lock(&self) -> Option<LockedFile<'_>> {
        let file = self.file.as_ref()?.lock().expect("no thread panics while holding the lock");
        let since = Instant::now();
        while matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && since.elapsed() < LOCK_TIMEOUT {
            std::thread::sleep(LOCK_PAUSE);
        }
        Some(LockedFile(file))
    }

    /// Locks the file, unless it is locked.
    fn try_lock(&self) -> Option<LockedFile<'_>> {
        let file = self.file.as_ref()?.try_lock().ok()?;
        file.try_lock().ok()?;
        Some(LockedFile(file))
    }
}

impl Drop for LockedFile<'_> {
    fn drop(&mut self) {
        // The lock ends with the process if this fails.
        drop(self.0.unlock());
    }
}

/// Opens the file and returns it with the intended size of the reserve.
fn open_file(directory: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(directory.join(FILE_NAME))?;
    let disk = free_space_at(directory)?;
    let target = (disk.total / DISK_SHARE).min(MAX_BYTES) / MIN_STEP * MIN_STEP;
    let found = file.metadata()?;
    // A copy of the file, as from a backup, may have holes, and power loss may have taken blocks that were not synced.
    if (found.len() > target || allocated(&found) < found.len()) && file.try_lock().is_ok() {
        file.set_len(0)?;
        file.unlock()?;
    }
    Ok((file, target))
}

/// Extends the file from `from` to `to` bytes with allocated blocks. Leaves the length unchanged on failure.
fn allocate(file: &mut File, from: u64, to: u64) -> io::Result<()> {
    let extended = match reserve_blocks(file, from, to - from) {
        // Some file systems only promise the blocks.
        Ok(()) if file.metadata().is_ok_and(|found| allocated(&found) >= to) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(error),
        Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => Err(error),
        _ => write_blocks(file, from, to),
    };
    if extended.is_err() {
        file.set_len(from)?;
    }
    extended
}

#[cfg(target_os = "linux")]
fn reserve_blocks(file: &File, from: u64, bytes: u64) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), from, bytes)?)
}

#[cfg(not(target_os = "linux"))]
fn reserve_blocks(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Writes random bytes, which take their full size also where a file system compresses.
fn write_blocks(file: &mut File, from: u64, to: u64) -> io::Result<()> {
    let mut at = file.seek(SeekFrom::Start(from))?;
    while at < to {
        let block = random::bytes::<4096>();
        let length = usize::try_from(to - at).map_or(block.len(), |rest| rest.min(block.len()));
        file.write_all(&block[..length])?;
        at += length as u64;
    }
    // Some file systems tell only now that the disk is full.
    file.sync_data()
}

fn length(file: &File) -> io::Result<u64> {
    file.metadata().map(|found| found.len())
}

/// Returns the free space of the disk that holds an open file.
fn free_space_of(file: &File) -> io::Result<u64> {
    let disk = rustix::fs::fstatvfs(file)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Returns the size of the allocated blocks of a file.
#[cfg(unix)]
fn allocated(file: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(file).saturating_mul(512)
}

/// Returns the size of a file: this system does not tell its blocks.
#[cfg(not(unix))]
fn allocated(file: &Metadata) -> u64 {
    file.len()
}

// Separate attributes, because lints recognise test code by a plain `cfg(test)` only.
#[cfg(unix)]
#[cfg(test)]
mod tests;
