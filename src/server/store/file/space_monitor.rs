//! Free space of a store's disk, measured once a second, and its reserve.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::ballast::Ballast;
use super::folder::{free_space_at, has_free_inodes};
use crate::domain::limits::free_space::{FreeSpace, SpaceReading};

/// Interval between two measurements.
const INTERVAL: Duration = Duration::from_secs(1);

/// Free space below which the disk counts as full: only a few commits would fit.
pub(super) const FULL_BYTES: u64 = 256 << 10;

/// Free space and reserve of a store's disk, shared with the writer thread.
pub(super) struct DiskSpace {
    directory: PathBuf,
    ballast: Ballast,
    measured: Mutex<Option<FreeSpace>>,
    /// Whether an ordinary commit found no free space, and no measurement has found any since.
    is_refused: AtomicBool,
    has_inodes: AtomicBool,
}

/// Thread that measures the free space until it is dropped.
pub(super) struct SpaceMonitor {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl DiskSpace {
    /// Opens the reserve in `directory`, and measures the free space.
    pub(super) fn open(directory: &Path) -> Self {
        let disk = Self {
            directory: directory.to_owned(),
            ballast: Ballast::open(directory),
            measured: Mutex::default(),
            is_refused: AtomicBool::new(false),
            has_inodes: AtomicBool::new(true),
        };
        disk.measure();
        disk
    }

    /// Returns the reserve.
    pub(super) fn ballast(&self) -> &Ballast {
        &self.ballast
    }

    /// Returns the free space of now. Space that the reserve lacks does not count as free.
    pub(super) fn free_space(&self) -> io::Result<FreeSpace> {
        let space = free_space_at(&self.directory)?;
        Ok(FreeSpace { free: space.free.saturating_sub(self.ballast.missing()), ..space })
    }

    /// Returns the last measurement.
    pub(super) fn reading(&self) -> SpaceReading {
        let space = *self.measured();
        let has_little = space.is_some_and(|space| space.free < FULL_BYTES) || !self.has_inodes.load(Ordering::Relaxed);
        let is_full = has_little || self.is_refused.load(Ordering::Relaxed) || self.ballast.missing() > 0;
        SpaceReading { space, reserve: Some(self.ballast.size()), is_full }
    }

    /// Returns whether ordinary commits may be tried: the reserve is whole, or could be completed just now.
    pub(super) fn allows_ordinary_commits(&self) -> bool {
        self.ballast.missing() == 0 || self.ballast.refill()
    }

    /// Notes that an ordinary commit found no free space.
    pub(super) fn note_refused(&self) {
        self.is_refused.store(true, Ordering::Relaxed);
    }

    /// Completes the reserve as far as there is room, and measures the free space.
    pub(super) fn measure(&self) {
        if self.ballast.missing() > 0 {
            self.ballast.refill();
        }
        if self.is_refused.load(Ordering::Relaxed) && self.ballast.has_room_beside() {
            self.is_refused.store(false, Ordering::Relaxed);
        }
        // An error, as on a disk that was removed, shows at every other operation of the store.
        *self.measured() = self.free_space().ok();
        self.has_inodes.store(has_free_inodes(&self.directory), Ordering::Relaxed);
    }

    fn measured(&self) -> MutexGuard<'_, Option<FreeSpace>> {
        self.measured.lock().expect("no thread panics while holding the lock")
    }
}

impl SpaceMonitor {
    /// Starts the thread.
    pub(super) fn start(disk: Arc<DiskSpace>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let run = move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                disk.measure();
            }
        };
        let thread = thread::Builder::new().name("free-space".to_owned()).spawn(run)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for SpaceMonitor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The panic hook has reported a panic of the thread already.
            drop(thread.join());
        }
    }
}
