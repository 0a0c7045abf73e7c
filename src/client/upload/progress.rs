//! How much of a payload is through: what its requests have sent, told as one number.

use std::sync::{Arc, Mutex};

use super::segments::Segments;
use crate::client::Progress;

/// The bytes that are through. What a failed request has sent is taken back.
pub(super) struct Through {
    bytes: Mutex<u64>,
    /// What knows the names of files.
    segments: Option<Arc<Segments>>,
    progress: Arc<dyn Progress>,
}

impl Through {
    #[cfg(test)]
    pub(super) fn new(progress: Arc<dyn Progress>) -> Self {
        Self { bytes: Mutex::new(0), segments: None, progress }
    }

    /// What is through of `segments`.
    pub(super) fn of(segments: Arc<Segments>, progress: Arc<dyn Progress>) -> Self {
        Self { bytes: Mutex::new(0), segments: Some(segments), progress }
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
        if let Some(name) = self.segments.as_ref().and_then(|segments| segments.name_at(*bytes)) {
            self.progress.at(name);
        }
        self.progress.moved_to(*bytes);
    }
}
