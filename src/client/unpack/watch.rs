//! Progress reports and cancellation of unpacking.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::UnpackError;
use crate::client::save_warning::{LostProperty, SaveWarning, SaveWarnings, is_unsupported};
use crate::client::{NoProgress, Progress};

/// Progress callback, cancellation flag and warnings of an unpacking.
#[derive(Clone)]
pub struct Watch {
    progress: Arc<dyn Progress>,
    stop: Arc<AtomicBool>,
    warnings: SaveWarnings,
}

/// Guard that cancels unpacking when dropped; the future that waits for the unpacking owns the guard.
#[derive(Debug)]
pub struct StopOnDrop(Arc<AtomicBool>);

impl Watch {
    /// Creates a watch that reports to `progress`, and the guard that cancels it.
    #[must_use]
    pub fn new(progress: Arc<dyn Progress>) -> (Self, StopOnDrop) {
        let stop = Arc::<AtomicBool>::default();
        (Self { progress, stop: stop.clone(), warnings: SaveWarnings::default() }, StopOnDrop(stop))
    }

    /// Reports that the entry `name` is being unpacked.
    pub(super) fn at(&self, name: &str) {
        self.progress.at(name);
    }

    /// Records that the saved file at `path` lacks a property.
    pub(in crate::client) fn warn(&self, property: LostProperty, path: &Path, error: &io::Error) {
        self.warnings.add(property, path, error);
    }

    /// Turns the refusal of an operation that the file system does not support into a warning.
    pub(in crate::client) fn tolerate(
        &self,
        property: LostProperty,
        path: &Path,
        outcome: io::Result<()>,
    ) -> io::Result<()> {
        match outcome {
            Err(error) if is_unsupported(&error) => {
                self.warn(property, path, &error);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Returns the warnings so far.
    pub(in crate::client) fn take_warnings(&self) -> Vec<SaveWarning> {
        self.warnings.take()
    }

    /// Returns an error after cancellation.
    pub(super) fn check(&self) -> Result<(), UnpackError> {
        if self.stop.load(Ordering::Relaxed) { Err(UnpackError::Stopped) } else { Ok(()) }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self { progress: Arc::new(NoProgress), stop: Arc::default(), warnings: SaveWarnings::default() }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
