//! The ledger of tags: no segment leaves the machine before its tag stands here, and none leaves it twice with another.

use std::io;
use std::sync::{Mutex, MutexGuard};

use crate::client::tag_file::TagFile;
use crate::domain::crypto::sealed::{SEGMENT_SIZE, Tag};

/// The tags of every segment that may have been sent, in whatever order they were.
pub(super) struct Ledger {
    book: Mutex<Book>,
    disk: Mutex<Disk>,
}

#[derive(Default)]
struct Book {
    /// By number of the segment.
    tags: Vec<Option<Tag>>,
    /// How many of them are there without a gap, from the first one on.
    prefix: usize,
    /// What is not on disk yet: number of the first segment, and tags.
    unwritten: Vec<(usize, Vec<Tag>)>,
}

/// Where tags are made durable.
enum Disk {
    /// Nowhere: the ledger ends with this process.
    None,
    File(TagFile),
    /// A write has failed; which tags are durable is not known any more.
    Failed(io::ErrorKind),
}

/// Tags that were not recorded; the segments must not be sent.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A segment that may have been sent was sealed again with other content.
    #[error("the file changed while it was being sent")]
    Changed,
    /// The record could not be made durable.
    #[error("the state of the upload cannot be kept")]
    Write(#[source] io::Error),
}

impl Ledger {
    /// A ledger that ends with this process, or one that also stands in `file`.
    #[must_use]
    pub(super) fn new(file: Option<TagFile>) -> Self {
        Self { book: Mutex::default(), disk: Mutex::new(file.map_or(Disk::None, Disk::File)) }
    }

    /// The ledger of an upload that is gone on with: what an earlier process has recorded in `file`.
    pub(super) fn resumed(file: TagFile, tags: Vec<Option<Tag>>) -> Self {
        let prefix = tags.iter().take_while(|tag| tag.is_some()).count();
        // They may have been written and not be on disk: they are written and synced once more before anything is sent.
        let mut at = 0;
        let runs = tags.chunk_by(|one, other| one.is_some() == other.is_some()).map(|run| {
            let first = at;
            at += run.len();
            (first, run.iter().flatten().copied().collect::<Vec<_>>())
        });
        let unwritten = runs.filter(|(_, known)| !known.is_empty()).collect();
        let book = Book { tags, prefix, unwritten };
        Self { book: Mutex::new(book), disk: Mutex::new(Disk::File(file)) }
    }

    /// Records the tags of segments `first`, `first + 1`, … durably, and compares those recorded before. Blocks.
    ///
    /// Several threads may do so at once: one of them then writes for all.
    pub(super) fn record(&self, first: u32, tags: &[Tag]) -> Result<(), LedgerError> {
        self.book().enter(first as usize, tags)?;
        let mut disk = self.disk.lock().expect("nothing panics while it holds this lock");
        let file = match &mut *disk {
            Disk::None => return Ok(()),
            Disk::Failed(kind) => return Err(LedgerError::Write((*kind).into())),
            Disk::File(file) => file,
        };
        // Who had this lock before may have written these tags as well, and has then waited for the disk.
        let unwritten = std::mem::take(&mut self.book().unwritten);
        let written = unwritten.iter().try_for_each(|(first, tags)| file.write(*first as u64, tags));
        let durable = if unwritten.is_empty() { Ok(()) } else { written.and_then(|()| file.sync()) };
        durable.map_err(|error| {
            *disk = Disk::Failed(error.kind());
            LedgerError::Write(error)
        })
    }

    /// How many bytes of the payload may have been sent, from the first on; the last segment counts as a full one.
    pub(super) fn recorded_bytes(&self) -> u64 {
        self.book().prefix as u64 * SEGMENT_SIZE as u64
    }

    /// Whether another process could go on: every tag is on disk.
    pub(super) fn outlives_us(&self) -> bool {
        matches!(&*self.disk.lock().expect("nothing panics while it holds this lock"), Disk::File(_))
    }

    /// Removes what stands on disk: the upload is over.
    pub(super) fn remove(&self) {
        let mut disk = self.disk.lock().expect("nothing panics while it holds this lock");
        if let Disk::File(file) = std::mem::replace(&mut *disk, Disk::None) {
            file.remove();
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nothing panics while it holds this lock")
    }
}

impl Book {
    /// Enters tags that are to be written, unless one of them was another before.
    fn enter(&mut self, first: usize, tags: &[Tag]) -> Result<(), LedgerError> {
        let end = first + tags.len();
        if self.tags.len() < end {
            self.tags.resize(end, None);
        }
        let known = &mut self.tags[first..end];
        if known.iter().zip(tags).any(|(known, tag)| known.is_some_and(|known| known != *tag)) {
            return Err(LedgerError::Changed);
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
    fn a_tag_stays_what_it_was() {
        let ledger = Ledger::new(None);
        ledger.record(0, &[tag(0), tag(1)]).unwrap();
        ledger.record(1, &[tag(1), tag(2)]).unwrap();
        ledger.record(0, &[tag(0)]).unwrap();
        ledger.record(3, &[tag(3)]).unwrap();
        assert!(matches!(ledger.record(2, &[tag(9)]), Err(LedgerError::Changed)));
        assert!(matches!(ledger.record(1, &[tag(1), tag(2), tag(9), tag(4)]), Err(LedgerError::Changed)));
        assert_eq!(ledger.recorded_bytes(), 4 * 1_048_576);
    }

    #[test]
    fn what_was_sent_is_counted_up_to_the_first_gap() {
        let ledger = Ledger::new(None);
        ledger.record(8, &[tag(8), tag(9)]).unwrap();
        ledger.record(1, &[tag(1)]).unwrap();
        assert_eq!(ledger.recorded_bytes(), 0);
        ledger.record(0, &[tag(0)]).unwrap();
        assert_eq!(ledger.recorded_bytes(), 2 * 1_048_576);
        assert!(matches!(ledger.record(8, &[tag(7)]), Err(LedgerError::Changed)));
    }

    fn on_disk(uploads: &Path) -> Ledger {
        Ledger::new(Some(state().keep(uploads, 64).unwrap()))
    }

    #[test]
    fn a_tag_is_on_disk_when_it_is_recorded_whoever_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = on_disk(folder.path());
        let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (ledger, path) = (&ledger, &path);
                scope.spawn(move || {
                    for index in (0..64).filter(|index| index % 4 == thread) {
                        let tag = tag(u8::try_from(index + 1).unwrap());
                        ledger.record(index, &[tag]).unwrap();
                        let (_, tags) = UploadState::read(path).unwrap();
                        assert_eq!(tags[index as usize], Some(tag));
                    }
                });
            }
        });
        assert_eq!(ledger.recorded_bytes(), 64 * 1_048_576);
        ledger.remove();
        assert!(!path.exists());
    }
}
