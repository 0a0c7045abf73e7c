//! A few files that are open because they are read piece by piece.

use std::sync::{Arc, Mutex};

use crate::client::upload::Watched;

/// How many stay open: those that several threads read at once, and the next.
const KEPT: usize = 8;

/// Files by the number of their entry, the one that was used last at the end.
#[derive(Debug, Default)]
pub(super) struct OpenFiles(Mutex<Vec<(usize, Arc<Watched>)>>);

impl OpenFiles {
    /// The file of the entry `index`, if it is open.
    pub(super) fn get(&self, index: usize) -> Option<Arc<Watched>> {
        let mut files = self.0.lock().expect("nothing panics while it holds this lock");
        let at = files.iter().position(|(of, _)| *of == index)?;
        let found = files.remove(at);
        let file = found.1.clone();
        files.push(found);
        Some(file)
    }

    /// Keeps a file open, and closes another where there are too many.
    pub(super) fn keep(&self, index: usize, file: Arc<Watched>) {
        let mut files = self.0.lock().expect("nothing panics while it holds this lock");
        files.retain(|(of, _)| *of != index);
        if files.len() == KEPT {
            files.remove(0);
        }
        files.push((index, file));
    }
}
