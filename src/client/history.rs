//! Upload history: a file with one line of JSON per upload, readable only by this user.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::state_files::make_private;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;
use crate::domain::version::V1;

/// History entry of one upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Version of this format.
    pub v: V1,
    /// Id of the upload's transfer.
    pub transfer_id: TransferId,
    /// Time of the upload (UTC).
    pub sent_at: Timestamp,
    /// File name shown to recipients.
    pub name: String,
    /// Content size, in bytes.
    pub size: u64,
    /// Link without its key.
    pub link: String,
    /// Key of the link, if the sender chose to store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Expiry time of the transfer (UTC).
    pub expires_at: Timestamp,
    /// Download limit; `None` if unlimited.
    pub max_downloads: Option<u32>,
    /// How the transfer ended, if this user's commands have seen its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Status>,
}

/// Line that records the end of a transfer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndMark {
    v: V1,
    transfer_id: TransferId,
    ended: Status,
}

/// History file of a user, oldest upload first.
#[derive(Clone, Debug)]
pub struct History(PathBuf);

impl History {
    /// Returns the history file in the state directory `state`.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self(state.join("history.jsonl"))
    }

    /// Returns the path of the history file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be written.
    pub fn add(&self, entry: &HistoryEntry) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            make_private(folder)?;
        }
        append(&mut self.open(true)?, entry)
    }

    /// Records the end of transfer `id`, if the history has it. With `link`, the history's link without the key must
    /// equal it.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be changed.
    pub fn mark_ended(&self, id: TransferId, ended: Status, link: Option<&str>) -> io::Result<()> {
        let mut file = match self.open(false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let entries = entries(&read_text(&mut file)?);
        let is_new = |entry: &HistoryEntry| {
            entry.transfer_id == id && entry.ended != Some(ended) && link.is_none_or(|link| link == entry.link)
        };
        if entries.iter().any(is_new) { append(&mut file, &EndMark { v: V1, transfer_id: id, ended }) } else { Ok(()) }
    }

    /// Returns all entries, oldest first. Skips lines of another format, such as those of a newer version.
    ///
    /// # Errors
    /// Returns an I/O error if the file exists but cannot be read.
    pub fn read(&self) -> io::Result<Vec<HistoryEntry>> {
        match self.open(false) {
            Ok(mut file) => Ok(entries(&read_text(&mut file)?)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Vec::new())
            }
            // The lock needs write access, which a read-only home directory lacks; nobody writes there either.
            Err(_) => self.peek(),
        }
    }

    /// Returns all entries like [`History::read`], but without the lock. An entry that is being written may be missing.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be read.
    pub fn peek(&self) -> io::Result<Vec<HistoryEntry>> {
        Ok(entries(&read_text(&mut File::open(&self.0)?)?))
    }

    /// Removes the entry of transfer `id`; returns `false` if there is none. Lines of another format stay.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be changed.
    pub fn remove(&self, id: TransferId) -> io::Result<bool> {
        let mut file = match self.open(false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let text = read_text(&mut file)?;
        let mut removed: Vec<&str> =
            parse::<HistoryEntry>(&text).filter(|(_, entry)| entry.transfer_id == id).map(|(line, _)| line).collect();
        if removed.is_empty() {
            return Ok(false);
        }
        removed.extend(parse::<EndMark>(&text).filter(|(_, mark)| mark.transfer_id == id).map(|(line, _)| line));
        let kept: String = text.split_inclusive('\n').filter(|line| !removed.contains(&line.trim_end())).collect();
        // Rewritten in place: the new content is shorter, so it needs no disk space, and the file that other processes
        // have locked is never replaced.
        file.rewind()?;
        file.write_all(kept.as_bytes())?;
        file.set_len(kept.len() as u64)?;
        file.sync_data()?;
        Ok(true)
    }

    /// Removes all entries, and returns their number.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be changed.
    pub fn clear(&self) -> io::Result<usize> {
        let mut file = match self.open(false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let removed = entries(&read_text(&mut file)?).len();
        file.set_len(0)?;
        file.sync_data()?;
        Ok(removed)
    }

    /// Opens the file and waits for its lock.
    fn open(&self, create: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create).truncate(false).mode(0o600);
        let file = options.open(&self.0)?;
        file.lock()?;
        // A file restored from a backup may have another mode.
        file.set_permissions(Permissions::from_mode(0o600))?;
        Ok(file)
    }
}

/// Parses the lines with a value of this type, and yields each line with its value.
fn parse<T: DeserializeOwned>(text: &str) -> impl Iterator<Item = (&str, T)> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok().map(|value| (line, value)))
}

/// Returns all entries, each with the last recorded end of its transfer.
fn entries(text: &str) -> Vec<HistoryEntry> {
    let ends: HashMap<_, _> = parse::<EndMark>(text).map(|(_, mark)| (mark.transfer_id, mark.ended)).collect();
    let with_end = |(_, entry): (&str, HistoryEntry)| {
        let ended = ends.get(&entry.transfer_id).copied().or(entry.ended);
        HistoryEntry { ended, ..entry }
    };
    parse(text).map(with_end).collect()
}

/// Appends a line, and waits for the disk.
fn append(file: &mut File, value: &impl Serialize) -> io::Result<()> {
    let mut line = Vec::new();
    // The last writer may have been killed in the middle of a line.
    if ends_mid_line(file)? {
        line.push(b'\n');
    }
    serde_json::to_writer(&mut line, value)?;
    line.push(b'\n');
    file.seek(SeekFrom::End(0))?;
    file.write_all(&line)?;
    file.sync_data()
}

fn read_text(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn ends_mid_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Returns whether the file's mode is 0600.
#[cfg(test)]
fn is_private(path: &Path) -> bool {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &str) -> HistoryEntry {
        HistoryEntry {
            v: V1,
            transfer_id: TransferId::random(),
            sent_at: Timestamp::from_millis(1),
            name: name.to_owned(),
            size: 5,
            link: "https://send.example/d/0".to_owned(),
            key: None,
            expires_at: Timestamp::from_millis(2),
            max_downloads: Some(1),
            ended: None,
        }
    }

    #[test]
    fn uploads_are_kept_in_order_and_privately() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::of(&folder.path().join("state"));
        assert_eq!(history.read().unwrap(), []);
        let (first, second) = (sent("first\nline"), sent("second"));
        history.add(&first).unwrap();
        history.add(&second).unwrap();
        assert_eq!(history.read().unwrap(), [first.clone(), second.clone()]);
        let locked = history.open(false).unwrap();
        assert_eq!(history.peek().unwrap(), [first.clone(), second.clone()]);
        drop(locked);
        assert!(is_private(history.path()));
        assert!(history.remove(first.transfer_id).unwrap());
        assert!(!history.remove(first.transfer_id).unwrap());
        assert_eq!(history.read().unwrap(), [second]);
        assert_eq!(history.clear().unwrap(), 1);
        assert_eq!(history.read().unwrap(), []);
        assert_eq!(history.clear().unwrap(), 0);
    }

    #[test]
    fn the_end_of_a_transfer_is_recorded_once() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::of(folder.path());
        let (first, second) = (sent("first"), sent("second"));
        history.mark_ended(first.transfer_id, Status::Deleted, None).unwrap();
        assert!(!history.path().exists(), "an unknown transfer was recorded");
        history.add(&first).unwrap();
        history.add(&second).unwrap();
        history.mark_ended(first.transfer_id, Status::Deleted, Some("https://other.example/d/0")).unwrap();
        assert_eq!(history.read().unwrap(), [first.clone(), second.clone()]);
        history.mark_ended(first.transfer_id, Status::Expired, Some(&first.link)).unwrap();
        history.mark_ended(first.transfer_id, Status::Deleted, None).unwrap();
        let length = std::fs::metadata(history.path()).unwrap().len();
        history.mark_ended(first.transfer_id, Status::Deleted, None).unwrap();
        assert_eq!(std::fs::metadata(history.path()).unwrap().len(), length, "the same end was recorded twice");
        let ended = HistoryEntry { ended: Some(Status::Deleted), ..first.clone() };
        assert_eq!(history.read().unwrap(), [ended, second.clone()]);
        assert!(history.remove(first.transfer_id).unwrap());
        assert_eq!(std::fs::read_to_string(history.path()).unwrap().lines().count(), 1, "an end was left");
    }

    #[test]
    fn a_truncated_line_hides_no_other_entry() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::of(folder.path());
        std::fs::write(history.path(), "{\"v\":2,\"of\":\"a newer version\"}\n{\"v\":1,\"transfer_").unwrap();
        let (first, second) = (sent("first"), sent("second"));
        history.add(&first).unwrap();
        history.add(&second).unwrap();
        assert_eq!(history.read().unwrap(), [first.clone(), second]);
        history.remove(first.transfer_id).unwrap();
        assert!(
            std::fs::read_to_string(history.path()).unwrap().contains("a newer version"),
            "a line of another format was removed"
        );
    }

    #[test]
    fn concurrent_writers_lose_no_entry() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::of(folder.path());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10).for_each(|_| history.add(&sent("x")).unwrap()));
            }
        });
        assert_eq!(history.read().unwrap().len(), 80);
    }
}
