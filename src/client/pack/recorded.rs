//! Sizes, times and permissions of an archive's entries. Recorded to resume its upload after `touch` or `chmod`.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::header::seconds;
use super::plan::{Entry, Kind, Plan};

/// Maximum number of entries that are recorded; larger archives resume only with unchanged times.
const MAX_RECORDED: usize = 100_000;
/// Length of one recorded entry: size, seconds since 1970 (UTC) and permissions.
const LENGTH: usize = 8 + 8 + 4;

impl Plan {
    /// Returns the record of the entries as text; `None` for an archive with too many entries.
    #[must_use]
    pub fn recorded(&self) -> Option<String> {
        let record = |entry: &Entry| {
            let mut record = [0; LENGTH];
            record[..8].copy_from_slice(&entry.size().to_be_bytes());
            record[8..16].copy_from_slice(&seconds(entry.modified).to_be_bytes());
            record[16..].copy_from_slice(&entry.mode.to_be_bytes());
            record
        };
        let entries = self.entries();
        (entries.len() <= MAX_RECORDED)
            .then(|| URL_SAFE_NO_PAD.encode(entries.iter().flat_map(record).collect::<Vec<_>>()))
    }

    /// Gives the entries the recorded times and permissions, and in a snapshot the recorded sizes.
    ///
    /// Leaves the plan unchanged if the record is of other entries.
    #[must_use]
    pub fn as_recorded(self, text: &str) -> Self {
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let (records, rest) = bytes.as_chunks::<LENGTH>();
        if !rest.is_empty() || records.len() != self.entries().len() {
            return self;
        }
        self.change_entries(|entries, snapshot| {
            for (entry, record) in entries.iter_mut().zip(records) {
                let (now, [recorded, time, ..]) = (entry.size(), numbers(record));
                let is_cut = snapshot && recorded < now;
                if let Kind::File { size, .. } = &mut entry.kind
                    && is_cut
                {
                    *size = recorded;
                }
                if seconds(entry.modified) != time.cast_signed() {
                    let distance = Duration::from_secs(time.cast_signed().unsigned_abs());
                    let is_before = time.cast_signed() < 0;
                    let at =
                        if is_before { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
                    entry.modified = at;
                }
                entry.mode = u32::from_be_bytes([record[16], record[17], record[18], record[19]]);
            }
        })
    }
}

/// Returns the size, and the seconds as an unsigned number.
fn numbers(record: &[u8; LENGTH]) -> [u64; 2] {
    let (numbers, _) = record.as_chunks::<8>();
    [u64::from_be_bytes(numbers[0]), u64::from_be_bytes(numbers[1])]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::SystemTime;

    use crate::client::pack::{PackInput, PackOptions, Plan, pack};

    fn plan(path: &Path, snapshot: bool) -> Plan {
        let options = PackOptions { snapshot, ..PackOptions::default() };
        pack(vec![PackInput { name: String::new(), path: path.to_owned() }], &options).unwrap().plan
    }

    fn archive_bytes(plan: &Plan) -> Vec<u8> {
        let mut bytes = vec![1; usize::try_from(plan.size()).unwrap()];
        plan.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn recorded_entries_restore_the_archive_after_touch_and_growth() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "content").unwrap();
        let set = |time| fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        set(SystemTime::UNIX_EPOCH - std::time::Duration::from_millis(1_500));
        let (before, recorded) = {
            let plan = plan(folder.path(), false);
            (archive_bytes(&plan), plan.recorded().unwrap())
        };
        set(SystemTime::now());
        assert!(archive_bytes(&plan(folder.path(), false)) != before);
        assert!(archive_bytes(&plan(folder.path(), false).as_recorded(&recorded)) == before);
        fs::write(&file, "content and more").unwrap();
        assert!(archive_bytes(&plan(folder.path(), false).as_recorded(&recorded)) != before);
        assert!(archive_bytes(&plan(folder.path(), true).as_recorded(&recorded)) == before);
        fs::write(folder.path().join("b"), "").unwrap();
        assert_eq!(plan(folder.path(), true).as_recorded(&recorded).entries().len(), 2);
    }
}
