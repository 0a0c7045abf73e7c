//! Journal of segment tags. A tag is recorded before its segment is sent, so no segment is sent with two contents.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::error::UnsavedState;
use crate::client::tag_file::TagFile;
use crate::client::{NoProgress, Progress};
use crate::domain::crypto::sealed::{SEGMENT_SIZE, Tag};

/// Records the tag of every segment that may have been sent, in any order.
pub(super) struct Journal {
    index: Mutex<TagIndex>,
    disk: Mutex<TagStorage>,
    progress: Arc<dyn Progress>,
}

#[derive(Default)]
struct TagIndex {
    /// Tags by segment number.
    tags: Vec<Option<Tag>>,
    /// Number of recorded tags before the first gap.
    prefix: usize,
    /// Runs of tags not on disk yet, each with the number of its first segment.
    unwritten: Vec<(usize, Vec<Tag>)>,
}

/// Durable storage of the tags.
enum TagStorage {
    /// No storage: the journal is lost when this process ends.
    None,
    File(TagFile),
    /// A write has failed, so it is unknown which tags are durable, and the file cannot be removed.
    Failed(io::ErrorKind),
}

/// Failure to record tags; the segments with these tags must not be sent.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A segment that may have been sent was sealed again with other content.
    #[error("the file changed while it was being sent")]
    Changed,
    /// The tags could not be written durably.
    #[error("the state of the upload cannot be saved")]
    Write(#[source] io::Error),
}

impl Journal {
    /// Creates a journal in memory, or in `file` as well.
    #[must_use]
    pub(super) fn new(file: Option<TagFile>) -> Self {
        let disk = Mutex::new(file.map_or(TagStorage::None, TagStorage::File));
        Self { index: Mutex::default(), disk, progress: Arc::new(NoProgress) }
    }

    /// Reports the loss of the file to `progress`.
    pub(super) fn reporting_to(self, progress: Arc<dyn Progress>) -> Self {
        Self { progress, ..self }
    }

    /// Creates the journal of a resumed upload from the `tags` of an earlier process in `file`.
    pub(super) fn resumed(file: TagFile, tags: Vec<Option<Tag>>) -> Self {
        let prefix = tags.iter().take_while(|tag| tag.is_some()).count();
        // The tags may have been written but not synced: write and sync them again before anything is sent.
        let mut at = 0;
        let runs = tags.chunk_by(|one, other| one.is_some() == other.is_some()).map(|run| {
            let first = at;
            at += run.len();
            (first, run.iter().flatten().copied().collect::<Vec<_>>())
        });
        let unwritten = runs.filter(|(_, known)| !known.is_empty()).collect();
        let index = TagIndex { tags, prefix, unwritten };
        Self { index: Mutex::new(index), ..Self::new(Some(file)) }
    }

    /// Records the tags of segments `first`, `first + 1`, … durably, and compares tags recorded before. Blocks.
    ///
    /// Concurrent calls are batched: one thread writes and syncs for all. If the file cannot be written, for example on
    /// a full disk, it is removed, and the tags are kept in memory only: another process must never resume from a file
    /// without the tag of a segment that was sent.
    pub(super) fn record(&self, first: u32, tags: &[Tag]) -> Result<(), JournalError> {
        self.index().add(first as usize, tags)?;
        let mut disk = self.disk.lock().expect("no thread panics while holding this lock");
        let file = match &mut *disk {
            TagStorage::None => return Ok(()),
            TagStorage::Failed(kind) => return Err(JournalError::Write((*kind).into())),
            TagStorage::File(file) => file,
        };
        // The previous holder of this lock may have written and synced these tags as well.
        let unwritten = std::mem::take(&mut self.index().unwritten);
        let written = unwritten.iter().try_for_each(|(first, tags)| file.write(*first as u64, tags));
        let durable = if unwritten.is_empty() { Ok(()) } else { written.and_then(|()| file.sync()) };
        let Err(error) = durable else { return Ok(()) };
        let kind = error.kind();
        let TagStorage::File(file) = std::mem::replace(&mut *disk, TagStorage::Failed(kind)) else { return Ok(()) };
        if file.discard().is_err() {
            return Err(JournalError::Write(error));
        }
        *disk = TagStorage::None;
        self.progress.unresumable(&UnsavedState::Write(error));
        Ok(())
    }

    /// Returns the recorded tags with the numbers of their segments.
    pub(super) fn recorded(&self) -> Vec<(u32, Tag)> {
        (0..).zip(&self.index().tags).filter_map(|(index, tag)| Some((index, (*tag)?))).collect()
    }

    /// Returns how many bytes from the start may have been sent; counts the last segment as a full segment.
    pub(super) fn recorded_bytes(&self) -> u64 {
        self.index().prefix as u64 * SEGMENT_SIZE as u64
    }

    /// Returns whether all tags are on disk, so that another process can resume.
    pub(super) fn is_durable(&self) -> bool {
        matches!(&*self.disk.lock().expect("no thread panics while holding this lock"), TagStorage::File(_))
    }

    /// Removes the journal's file at the end of the upload.
    pub(super) fn remove(&self) {
        let mut disk = self.disk.lock().expect("no thread panics while holding this lock");
        if let TagStorage::File(file) = std::mem::replace(&mut *disk, TagStorage::None) {
            file.remove();
        }
    }

    fn index(&self) -> MutexGuard<'_, TagIndex> {
        self.index.lock().expect("no thread panics while holding this lock")
    }
}

impl TagIndex {
    /// Adds tags to be written, unless one differs from the tag recorded before.
    fn add(&mut self, first: usize, tags: &[Tag]) -> Result<(), JournalError> {
        let end = first + tags.len();
        if self.tags.len() < end {
            self.tags.resize(end, None);
        }
        let known = &mut self.tags[first..end];
        if known.iter().zip(tags).any(|(known, tag)| known.is_some_and(|known| known != *tag)) {
            return Err(JournalError::Changed);
        }
        if known.iter().all(Option::is_some) {
            return Ok(());
        }
        known.iter_mut().zip(tags).for_each(|(known, tag)| *known = Some(*tag));
        self.unwritten.push((first, tags.to_vec()));
        self.prefix += self.tags[self.prefix..].iter().take_while(|tag| tag.is_some()).count();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::client::upload::state::{UploadState, tests::state};

    fn tag(byte: u8) -> Tag {
        Tag::from_bytes([byte; 16])
    }

    #[test]
    fn a_different_tag_is_rejected() {
        let journal = Journal::new(None);
        journal.record(0, &[tag(0), tag(1)]).unwrap();
        journal.record(1, &[tag(1), tag(2)]).unwrap();
        journal.record(0, &[tag(0)]).unwrap();
        journal.record(3, &[tag(3)]).unwrap();
        assert!(matches!(journal.record(2, &[tag(9)]), Err(JournalError::Changed)));
        assert!(matches!(journal.record(1, &[tag(1), tag(2), tag(9), tag(4)]), Err(JournalError::Changed)));
        assert_eq!(journal.recorded_bytes(), 4 * 1_048_576);
    }

    #[test]
    fn recorded_bytes_end_at_the_first_gap() {
        let journal = Journal::new(None);
        journal.record(8, &[tag(8), tag(9)]).unwrap();
        journal.record(1, &[tag(1)]).unwrap();
        assert_eq!(journal.recorded_bytes(), 0);
        journal.record(0, &[tag(0)]).unwrap();
        assert_eq!(journal.recorded_bytes(), 2 * 1_048_576);
        assert!(matches!(journal.record(8, &[tag(7)]), Err(JournalError::Changed)));
    }

    fn on_disk(uploads: &Path) -> Journal {
        Journal::new(Some(state().create_in(uploads, 64).unwrap()))
    }

    #[test]
    fn a_recorded_tag_is_on_disk_whichever_thread_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let journal = on_disk(folder.path());
        let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (journal, path) = (&journal, &path);
                scope.spawn(move || {
                    for index in (0..64).filter(|index| index % 4 == thread) {
                        let tag = tag(u8::try_from(index + 1).unwrap());
                        journal.record(index, &[tag]).unwrap();
                        let (_, tags) = UploadState::parse(&std::fs::read(path).unwrap()).unwrap();
                        assert_eq!(tags[index as usize], Some(tag));
                    }
                });
            }
        });
        assert_eq!(journal.recorded_bytes(), 64 * 1_048_576);
        journal.remove();
        assert!(!path.exists());
    }
}
