//! The state of an upload on disk: `uploads/{id}`, mode 0600.
//!
//! One line of JSON with what a payload is made from, filled up with spaces to a multiple of 4 096 bytes; then the tag of
//! every segment, 16 bytes each, zeros where none is recorded. The file has its full size from the start, so that
//! recording a tag changes no size and needs no write to a file system's journal.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::segments::Segments;
use crate::client::leftovers;
use crate::domain::id::TransferId;
use crate::domain::key::{LinkKey, PayloadKey};
use crate::domain::sealed::{TAG_SIZE, Tag};

/// The first part of the file is a multiple of this, so that no tag lies across two sectors.
const BLOCK: usize = 4_096;

/// What stands in front of the tags. Has no `Debug` output: it holds the keys.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct UploadState {
    /// The version of this form: 1.
    pub v: u8,
    /// The service's address.
    pub server: String,
    /// Which transfer.
    pub transfer_id: String,
    /// The key as it stands in the link.
    pub link_key: String,
    /// The key that the payload is sealed with, in base64url.
    pub payload_key: String,
    /// The payload's header, in base64url.
    pub header: String,
    /// The envelope in front of the content, in base64url.
    pub envelope: String,
    /// How many bytes of content there are.
    pub content_bytes: u64,
    /// When the file was last modified, in milliseconds since 1970.
    pub modified_ms: Option<i64>,
}

/// An open state file.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    file: File,
    tags_at: u64,
}

impl UploadState {
    /// What is kept of an upload.
    #[must_use]
    pub fn of(server: String, id: TransferId, segments: &Segments, link_key: &LinkKey, key: &PayloadKey) -> Self {
        Self {
            v: 1,
            server,
            transfer_id: id.to_string(),
            link_key: link_key.to_text().to_string(),
            payload_key: URL_SAFE_NO_PAD.encode(key.as_bytes()),
            header: URL_SAFE_NO_PAD.encode(segments.sealer().header().as_bytes()),
            envelope: URL_SAFE_NO_PAD.encode(segments.envelope()),
            content_bytes: segments.source().size(),
            modified_ms: segments.source().modified_ms(),
        }
    }

    /// Reads a state file: the state, and the tag of every segment that may have been sent.
    pub fn read(path: &Path) -> io::Result<(Self, Vec<Option<Tag>>)> {
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(path)?.read_to_end(&mut bytes)?;
        Self::parse(&bytes)
    }

    /// Reads what a state file holds.
    pub fn parse(bytes: &[u8]) -> io::Result<(Self, Vec<Option<Tag>>)> {
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(io::ErrorKind::InvalidData)?;
        let state: Self = serde_json::from_slice(&bytes[..end])?;
        let tags = bytes.get((end + 1).next_multiple_of(BLOCK)..).unwrap_or_default();
        let (tags, _) = tags.as_chunks::<TAG_SIZE>();
        let recorded = |tag: &[u8; TAG_SIZE]| (*tag != [0; TAG_SIZE]).then(|| Tag::from_bytes(*tag));
        Ok((state, tags.iter().map(recorded).collect()))
    }
}

impl StateFile {
    /// Creates the file of `state` in the directory `uploads`, with room for the tags of `segments` segments. Blocks.
    pub fn create(uploads: &Path, state: &UploadState, segments: u64) -> io::Result<Self> {
        leftovers::prepare(uploads)?;
        let path = uploads.join(&state.transfer_id);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        // From here on the file goes with this value if anything fails.
        let mut this = Self { path, file, tags_at: 0 };
        let written = this.write_front(state, segments);
        if written.is_err() {
            let _ = fs::remove_file(&this.path);
        }
        written.map(|()| this)
    }

    fn write_front(&mut self, state: &UploadState, segments: u64) -> io::Result<()> {
        let mut front = Zeroizing::new(Vec::with_capacity(BLOCK));
        serde_json::to_writer(&mut *front, state)?;
        front.push(b'\n');
        let length = front.len().next_multiple_of(BLOCK);
        front.resize(length, b' ');
        self.file.write_all(&front)?;
        self.tags_at = front.len() as u64;
        io::copy(&mut io::repeat(0).take(segments * TAG_SIZE as u64), &mut self.file)?;
        self.file.sync_all()?;
        #[cfg(unix)]
        if let Some(directory) = self.path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }

    /// Writes the tags of segments `first`, `first + 1`, …
    pub fn write(&mut self, first: u64, tags: &[Tag]) -> io::Result<()> {
        use std::io::Seek;
        let bytes: Vec<u8> = tags.iter().flat_map(Tag::as_bytes).copied().collect();
        self.file.seek(io::SeekFrom::Start(self.tags_at + first * TAG_SIZE as u64))?;
        self.file.write_all(&bytes)
    }

    /// Waits until everything that was written is on disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Removes the file.
    pub fn remove(self) {
        // What remains is of no use to anybody without the transfer, and goes with it.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::client::upload) fn state() -> UploadState {
        UploadState {
            v: 1,
            server: "https://send.example".into(),
            transfer_id: TransferId::random().to_string(),
            link_key: "v1.x".into(),
            payload_key: "k".into(),
            header: "h".into(),
            envelope: "e".repeat(5_000),
            content_bytes: 7,
            modified_ms: Some(-1),
        }
    }

    #[test]
    fn a_state_is_read_as_it_was_recorded() {
        let directory = tempfile::tempdir().unwrap();
        let (uploads, state) = (directory.path().join("a/uploads"), state());
        let mut file = StateFile::create(&uploads, &state, 5).unwrap();
        let tags: Vec<Tag> = (1..=3).map(|byte| Tag::from_bytes([byte; 16])).collect();
        file.write(3, &tags[2..]).unwrap();
        file.write(0, &tags[..2]).unwrap();
        file.sync().unwrap();

        let path = uploads.join(&state.transfer_id);
        let (read, recorded) = UploadState::read(&path).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&state).unwrap());
        assert_eq!(recorded, [Some(tags[0]), Some(tags[1]), None, Some(tags[2]), None]);
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 * 4_096 + 5 * 16);
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
        assert!(StateFile::create(&uploads, &state, 5).is_err(), "an upload has one state");
        file.remove();
        assert!(!path.exists());
    }
}
