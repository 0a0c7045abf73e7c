//! Progress of an upload: adds up the sent bytes of parallel requests.

use std::sync::{Arc, Mutex};

use super::segments::Segments;
use crate::client::Progress;

/// Counter of sent bytes. The bytes of failed requests are subtracted.
pub(super) struct SentCounter {
    bytes: Mutex<u64>,
    /// Source of the current file's name within an archive.
    segments: Option<Arc<Segments>>,
    progress: Arc<dyn Progress>,
}

impl SentCounter {
    #[cfg(test)]
    pub(super) fn new(progress: Arc<dyn Progress>) -> Self {
        Self { bytes: Mutex::new(0), segments: None, progress }
    }

    /// Creates a counter for the payload of `segments`.
    pub(super) fn of(segments: Arc<Segments>, progress: Arc<dyn Progress>) -> Self {
        Self { bytes: Mutex::new(0), segments: Some(segments), progress }
    }

    /// Sets the number of sent bytes.
    pub(super) fn set(&self, bytes: u64) {
        self.change(|_| bytes);
    }

    /// Adds `by` bytes.
    pub(super) fn add(&self, by: u64) {
        self.change(|bytes| bytes + by);
    }

    /// Subtracts `by` bytes, sent in a failed request.
    pub(super) fn subtract(&self, by: u64) {
        self.change(|bytes| bytes.saturating_sub(by));
    }

    fn change(&self, change: impl FnOnce(u64) -> u64) {
        // Reported under the lock, so that reports stay in order.
        let mut bytes = self.bytes.lock().expect("no thread panics while holding this lock");
        *bytes = change(*bytes);
        if let Some(name) = self.segments.as_ref().and_then(|segments| segments.name_at(*bytes)) {
            self.progress.at(name);
        }
        self.progress.transferred(*bytes);
    }
}
