//! Limits the number of concurrent browsers on this machine, across tests and test processes.

use std::fs::{File, TryLockError};

use super::cache;

/// Maximum number of concurrent browsers. Each consists of several processes that keep a core busy.
const AT_ONCE: usize = 3;

/// Permit to run a browser, released on drop.
pub(crate) struct BrowserPermit {
    _lock: File,
}

impl BrowserPermit {
    /// Waits for a permit.
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
        // Any lock will do, because tests take about equally long.
        let lock = open(std::process::id() as usize % AT_ONCE);
        lock.lock().unwrap();
        Self { _lock: lock }
    }
}
