//! What this user has sent: a line of JSON for each upload, in a file that only this user can read.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::leftovers::make_private;
use crate::domain::id::TransferId;
use crate::domain::timestamp::Timestamp;
use crate::domain::version::V1;

/// One upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The version of this form.
    pub v: V1,
    /// Which transfer it made.
    pub transfer_id: TransferId,
    /// When.
    pub sent_at: Timestamp,
    /// The name that recipients see.
    pub name: String,
    /// Size of the content, in bytes.
    pub size: u64,
    /// The link, without its key.
    pub link: String,
    /// The key, where the sender asked for it to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When the transfer's time is over.
    pub expires_at: Timestamp,
    /// How many downloads it allows; `None` is any number.
    pub max_downloads: Option<u32>,
}

/// The file of a user's uploads, oldest first.
#[derive(Clone, Debug)]
pub struct History(PathBuf);

impl History {
    /// The history in the folder of a user's state.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self(state.join("history.jsonl"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Adds an upload.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn add(&self, sent: &Sent) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            make_private(folder)?;
        }
        let mut file = self.open(true)?;
        let mut line = Vec::new();
        // Whoever wrote last may have been killed in the middle of a line.
        if ends_within_a_line(&mut file)? {
            line.push(b'\n');
        }
        serde_json::to_writer(&mut line, sent)?;
        line.push(b'\n');
        file.seek(SeekFrom::End(0))?;
        file.write_all(&line)?;
        file.sync_data()
    }

    /// Every upload, oldest first. Lines of another form are left out.
    ///
    /// # Errors
    /// Where the file is there and cannot be read.
    pub fn read(&self) -> io::Result<Vec<Sent>> {
        match self.open(false) {
            Ok(mut file) => Ok(parse(&text_of(&mut file)?).map(|(_, sent)| sent).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// What [`History::read`] answers, without waiting for whoever changes it: the line at work may be missing.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn peek(&self) -> io::Result<Vec<Sent>> {
        Ok(parse(&text_of(&mut File::open(&self.0)?)?).map(|(_, sent)| sent).collect())
    }

    /// Removes one upload; `false` where there was none of this id. Lines of another form stay.
    ///
    /// # Errors
    /// Where the file cannot be changed.
    pub fn remove(&self, id: TransferId) -> io::Result<bool> {
        let mut file = match self.open(false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let text = text_of(&mut file)?;
        let removed: Vec<&str> =
            parse(&text).filter(|(_, sent)| sent.transfer_id == id).map(|(line, _)| line).collect();
        if removed.is_empty() {
            return Ok(false);
        }
        let kept: String = text.split_inclusive('\n').filter(|line| !removed.contains(&line.trim_end())).collect();
        // Shorter than before, so that there is room for it: the file is never replaced under another's lock.
        file.rewind()?;
        file.write_all(kept.as_bytes())?;
        file.set_len(kept.len() as u64)?;
        file.sync_data()?;
        Ok(true)
    }

    /// Removes every upload.
    ///
    /// # Errors
    /// Where the file cannot be changed.
    pub fn clear(&self) -> io::Result<()> {
        match self.open(false) {
            Ok(file) => file.set_len(0).and_then(|()| file.sync_data()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Opens the file, and waits until no other process has it.
    fn open(&self, create: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create).truncate(false).mode(0o600);
        let file = options.open(&self.0)?;
        file.lock()?;
        // It may have come from a backup.
        file.set_permissions(Permissions::from_mode(0o600))?;
        Ok(file)
    }
}

/// The lines that are uploads, and what they say.
fn parse(text: &str) -> impl Iterator<Item = (&str, Sent)> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok().map(|sent| (line, sent)))
}

fn text_of(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Tells whether only its owner can read a file.
#[cfg(test)]
fn is_private(path: &Path) -> bool {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &str) -> Sent {
        Sent {
            v: V1,
            transfer_id: TransferId::random(),
            sent_at: Timestamp::from_millis(1),
            name: name.to_owned(),
            size: 5,
            link: "https://send.example/d/0".to_owned(),
            key: None,
            expires_at: Timestamp::from_millis(2),
            max_downloads: Some(1),
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
        let held = history.open(false).unwrap();
        assert_eq!(history.peek().unwrap(), [first.clone(), second.clone()]);
        drop(held);
        assert!(is_private(history.path()));
        assert!(history.remove(first.transfer_id).unwrap());
        assert!(!history.remove(first.transfer_id).unwrap());
        assert_eq!(history.read().unwrap(), [second]);
        history.clear().unwrap();
        assert_eq!(history.read().unwrap(), []);
    }

    #[test]
    fn what_was_cut_short_hides_nothing_else() {
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
            "another's line was removed"
        );
    }

    #[test]
    fn whoever_writes_at_once_loses_nothing() {
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
