//! Who watches over unpacking: hears of each file, and can stop it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::UnpackError;
use crate::client::{Progress, Silent};

/// Hears of progress, and says when to stop.
#[derive(Clone)]
pub struct Watch {
    progress: Arc<dyn Progress>,
    stop: Arc<AtomicBool>,
}

/// Stops the unpacking that it belongs to once it is dropped: with the future that waits for it.
#[derive(Debug)]
pub struct StopOnDrop(Arc<AtomicBool>);

impl Watch {
    /// A watch that tells `progress`, and what stops it.
    #[must_use]
    pub fn new(progress: Arc<dyn Progress>) -> (Self, StopOnDrop) {
        let stop = Arc::<AtomicBool>::default();
        (Self { progress, stop: stop.clone() }, StopOnDrop(stop))
    }

    /// Tells that this file is worked on.
    pub(super) fn at(&self, name: &str) {
        self.progress.at(name);
    }

    /// An error once it should stop.
    pub(super) fn check(&self) -> Result<(), UnpackError> {
        if self.stop.load(Ordering::Relaxed) { Err(UnpackError::Stopped) } else { Ok(()) }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self { progress: Arc::new(Silent), stop: Arc::default() }
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
