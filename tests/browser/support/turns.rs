//! Turns: a machine runs few browsers at once, whatever number of tests and test processes.

use std::fs::{File, TryLockError};

use super::cache;

/// Browsers at once. Each is several processes that keep a core busy.
const AT_ONCE: usize = 2;

/// The right to run a browser, until it is dropped.
pub(crate) struct Turn {
    _lock: File,
}

impl Turn {
    /// Waits for it.
    pub(crate) fn take() -> Self {
        std::fs::create_dir_all(cache()).unwrap();
        let open = |number| File::create(cache().join(format!("turn-{number}.lock"))).unwrap();
        for number in 0..AT_ONCE {
            let lock = open(number);
            match lock.try_lock() {
                Ok(()) => return Self { _lock: lock },
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => panic!("{error}"),
            }
        }
        // Any will do: tests take about as long as each other.
        let lock = open(std::process::id() as usize % AT_ONCE);
        lock.lock().unwrap();
        Self { _lock: lock }
    }
}
