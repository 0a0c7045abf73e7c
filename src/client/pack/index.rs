//! Index of an archive, which is generated when it is read, as the tar itself.

use std::borrow::Cow;
use std::ops::Range;

use super::header::seconds;
use super::plan::{Entry, Kind, index_of, overlap};
use crate::domain::archive::{INDEX_FRAME_BYTES, INDEX_MAGIC, IndexKind, IndexRecord, MAX_INDEX_BYTES};

/// Sizes of an archive's index in bytes. The offsets of its parts are in the entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedIndex {
    /// Length of the JSON.
    json_bytes: u64,
}

impl PlannedIndex {
    /// Computes the offset of each entry in the JSON.
    ///
    /// `None` if the index is longer than [`MAX_INDEX_BYTES`].
    pub(super) fn lay_out(entries: &mut [Entry]) -> Option<Self> {
        let mut json_bytes = 0;
        for (index, entry) in entries.iter_mut().enumerate() {
            entry.index_offset = u32::try_from(json_bytes).ok()?;
            json_bytes += part(index, entry).len() as u64;
            if json_bytes >= MAX_INDEX_BYTES {
                return None;
            }
        }
        // Without entries, the opening bracket is missing.
        Some(Self { json_bytes: if entries.is_empty() { 2 } else { json_bytes + 1 } })
    }

    /// Returns the size of the index in bytes.
    pub(super) const fn bytes(self) -> u64 {
        self.json_bytes + INDEX_FRAME_BYTES
    }

    /// Copies the part of the index in `range` of the archive into `buffer`. The index starts at offset `start`.
    pub(super) fn read(self, entries: &[Entry], start: u64, range: &Range<u64>, buffer: &mut [u8]) {
        let mut copy = |at: u64, bytes: &[u8]| {
            let (from, to) = overlap(range.start, range.end, at, at + bytes.len() as u64);
            if from < to {
                buffer[index_of(from - range.start)..index_of(to - range.start)]
                    .copy_from_slice(&bytes[index_of(from - at)..index_of(to - at)]);
            }
        };
        copy(start, INDEX_MAGIC);
        let json = start + INDEX_MAGIC.len() as u64;
        let end = json + self.json_bytes;
        if entries.is_empty() {
            copy(json, b"[");
        }
        copy(end - 1, b"]");
        copy(end, &self.json_bytes.to_be_bytes());
        let offset = |entry: &Entry| json + u64::from(entry.index_offset);
        let first = entries.partition_point(|entry| offset(entry) <= range.start).saturating_sub(1);
        let wanted = entries.iter().enumerate().skip(first).take_while(|(_, entry)| offset(entry) < range.end);
        for (index, entry) in wanted {
            copy(offset(entry), &part(index, entry));
        }
    }
}

/// Encodes an entry with the character before it.
fn part(index: usize, entry: &Entry) -> Vec<u8> {
    let (kind, link) = match &entry.kind {
        Kind::Directory => (IndexKind::Directory, None),
        Kind::File { .. } => (IndexKind::File, None),
        Kind::Link { target } => (IndexKind::Symlink, Some(Cow::Borrowed(target.as_str()))),
    };
    let record = IndexRecord {
        path: Cow::Borrowed(entry.path()),
        kind,
        offset: entry.offset,
        data: entry.content_offset(),
        size: entry.size(),
        mode: entry.mode,
        // Whole seconds, as in the tar, which a resumed upload restores.
        modified_ms: seconds(entry.modified).saturating_mul(1_000),
        link,
    };
    let mut part = vec![if index == 0 { b'[' } else { b',' }];
    serde_json::to_writer(&mut part, &record).expect("an entry has only texts and numbers");
    part
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::client::pack::plan::{Entry, Kind};
    use crate::client::pack::{PackInput, PackOptions, Plan, pack};
    use crate::domain::archive::{ArchiveIndex, ArchivePath, IndexKind, IndexPosition, MAX_INDEX_BYTES};

    fn plan(path: &std::path::Path) -> Plan {
        let input = vec![PackInput { name: String::new(), path: path.to_owned() }];
        pack(input, &PackOptions::default()).unwrap().plan
    }

    fn read(plan: &Plan, from: u64, to: u64) -> Vec<u8> {
        let mut bytes = vec![1; usize::try_from(to - from).unwrap()];
        plan.read_exact_at(&mut bytes, from).unwrap();
        bytes
    }

    fn position(plan: &Plan) -> IndexPosition {
        let last = read(plan, plan.size() - 8, plan.size()).try_into().unwrap();
        IndexPosition::find(plan.size(), last).unwrap()
    }

    #[test]
    fn the_index_leads_to_every_entry() {
        let folder = tempfile::tempdir().unwrap();
        let long = "ü".repeat(120);
        fs::create_dir(folder.path().join("d")).unwrap();
        fs::write(folder.path().join("d/a \"b\".txt"), "content").unwrap();
        fs::write(folder.path().join(&long), "x".repeat(2_000)).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("d", folder.path().join("link")).unwrap();
        let plan = plan(folder.path());
        let position = position(&plan);
        let bytes = read(&plan, position.start, plan.size());
        let index = ArchiveIndex::parse(&bytes, position).unwrap().unwrap();
        let paths: Vec<_> = index.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, plan.entries().iter().map(Entry::path).collect::<Vec<_>>());
        assert!(paths.contains(&"d/a \"b\".txt") && paths.contains(&long.as_str()));
        let file = index.entries.iter().find(|entry| entry.path.as_str() == long).unwrap();
        assert!(file.data - file.offset > 512, "a long name needs an extended header");
        assert_eq!(read(&plan, file.data, file.data + file.size), "x".repeat(2_000).into_bytes());
        assert_eq!((file.kind, file.modified_ms % 1_000), (IndexKind::File, 0));
        // The tar before the index is complete by itself.
        assert_eq!(index.entries.last().unwrap().end().unwrap() + 1_024, index.tar_bytes);
        assert_eq!(read(&plan, index.tar_bytes - 1_024, index.tar_bytes), [0; 1_024]);
    }

    #[test]
    fn every_part_of_the_archive_reads_the_same() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(folder.path().join(name), name.repeat(700)).unwrap();
        }
        let plan = plan(folder.path());
        let whole = read(&plan, 0, plan.size());
        for step in [1, 7, 100, 511, 512, 3_000] {
            let mut parts = Vec::new();
            while (parts.len() as u64) < plan.size() {
                let from = parts.len() as u64;
                parts.extend(read(&plan, from, plan.size().min(from + step)));
            }
            assert!(parts == whole, "{step}");
        }
    }

    #[test]
    fn an_archive_without_entries_has_an_empty_index() {
        let plan = Plan::without_entries();
        let position = position(&plan);
        assert_eq!((position.start, position.json_bytes, plan.size()), (1_024, 2, 1_024 + 18));
        let bytes = read(&plan, position.start, plan.size());
        assert_eq!(ArchiveIndex::parse(&bytes, position).unwrap().unwrap().entries, []);
    }

    #[test]
    fn an_index_over_the_limit_is_not_written() {
        let parents = format!("{}/", "x".repeat(199)).repeat(10);
        let path = |number| ArchivePath::parse(&format!("{parents}{number}")).unwrap();
        let entry = |number: u32| Entry::new(path(number), (0, 0), 0o755, Kind::Directory);
        let mut entries: Vec<_> = (0..20_000).map(entry).collect();
        assert!(super::PlannedIndex::lay_out(&mut entries).is_none());
        let json = super::PlannedIndex::lay_out(&mut entries[..15_000]).unwrap().json_bytes;
        assert!(json < MAX_INDEX_BYTES && json > 15_000 * 2_000, "{json}");
    }
}
