//! How much of a payload is through: what its requests have sent, told as one number.

use std::sync::{Arc, Mutex};

use crate::client::Progress;

/// The bytes that are through. What a failed request has sent is taken back.
pub(super) struct Through {
    bytes: Mutex<u64>,
    progress: Arc<dyn Progress>,
}

impl Through {
    pub(super) fn new(progress: Arc<dyn Progress>) -> Self {
        Self { bytes: Mutex::new(0), progress }
    }

    /// So many bytes are through, whatever was told before.
    pub(super) fn set(&self, bytes: u64) {
        self.change(|_| bytes);
    }

    /// So many more.
    pub(super) fn moved(&self, by: u64) {
        self.change(|bytes| bytes + by);
    }

    /// So many less.
    pub(super) fn lost(&self, by: u64) {
        self.change(|bytes| bytes.saturating_sub(by));
    }

    fn change(&self, change: impl FnOnce(u64) -> u64) {
        // Told while the lock is held: else an older number could be told after a newer one.
        let mut bytes = self.bytes.lock().expect("nothing panics while it holds this lock");
        *bytes = change(*bytes);
        self.progress.moved_to(*bytes);
    }
}
