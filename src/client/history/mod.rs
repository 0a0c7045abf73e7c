//! Upload history: a file with one line of JSON per upload, readable only by this user.

mod entry;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

use self::entry::{EndMark, LinkMark, TermsMark, entries, parse};
pub use self::entry::{HistoryEntry, HistoryLink};
use super::state_files::make_private;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;
use crate::domain::version::V1;

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
        self.add_all(std::slice::from_ref(entry))
    }

    /// Appends entries, and waits for the disk once.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be written.
    pub fn add_all(&self, entries: &[HistoryEntry]) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            make_private(folder)?;
        }
        append_all(&mut self.open(true)?, entries)
    }

    /// Records the end of the transfer or link `id`, if the history has it. With `link`, the history's link without the
    /// key must equal it.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be changed.
    pub fn mark_ended(&self, id: TransferId, ended: Status, link: Option<&str>) -> io::Result<()> {
        let is_new = |entry: &HistoryEntry| entry.lacks_end(id, ended, link);
        self.mark(is_new, &EndMark { v: V1, transfer_id: id, ended })
    }

    /// Records a further link of transfer `id`, if the history has the transfer.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be changed.
    pub fn add_link(&self, id: TransferId, link: HistoryLink) -> io::Result<()> {
        self.mark(|entry| entry.transfer_id == id, &LinkMark { v: V1, transfer_id: id, added: link })
    }

    /// Records changed limits of the link `id`, if the history has the link.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be changed.
    pub fn mark_changed(&self, id: LinkId, expires_at: Timestamp, max_downloads: Option<u32>) -> io::Result<()> {
        let mark = TermsMark { v: V1, link_id: id, expires_at, max_downloads };
        self.mark(|entry| entry.has(id.as_transfer()), &mark)
    }

    /// Appends `mark` if any entry `is_meant`.
    fn mark(&self, is_meant: impl Fn(&HistoryEntry) -> bool, mark: &impl Serialize) -> io::Result<()> {
        let mut file = match self.open(false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let entries = entries(&read_text(&mut file)?);
        if entries.iter().any(is_meant) { append(&mut file, mark) } else { Ok(()) }
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
        let Some(entry) = entries(&text).into_iter().find(|entry| entry.transfer_id == id) else { return Ok(false) };
        removed.extend(parse::<EndMark>(&text).filter(|(_, mark)| entry.has(mark.transfer_id)).map(|(line, _)| line));
        removed.extend(parse::<LinkMark>(&text).filter(|(_, mark)| mark.transfer_id == id).map(|(line, _)| line));
        let is_changed = |mark: &TermsMark| entry.has(mark.link_id.as_transfer());
        removed.extend(parse::<TermsMark>(&text).filter(|(_, mark)| is_changed(mark)).map(|(line, _)| line));
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

/// Appends a line, and waits for the disk.
fn append(file: &mut File, value: &impl Serialize) -> io::Result<()> {
    append_all(file, std::slice::from_ref(value))
}

/// Appends a line for each value, and waits for the disk.
fn append_all(file: &mut File, values: &[impl Serialize]) -> io::Result<()> {
    let mut lines = Vec::new();
    // The last writer may have been killed in the middle of a line.
    if ends_mid_line(file)? {
        lines.push(b'\n');
    }
    for value in values {
        serde_json::to_writer(&mut lines, value)?;
        lines.push(b'\n');
    }
    file.seek(SeekFrom::End(0))?;
    file.write_all(&lines)?;
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
