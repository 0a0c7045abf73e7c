//! Unfinished uploads: what an earlier process has left, so that this one can go on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::journal::Ledger;
use super::segments::Segments;
use super::source::{Source, SourceError};
use super::state::UploadState;
use super::{LedgerError, UploadError};
use crate::client::leftovers::{self, OLDEST, age_of};
use crate::client::tag_file::TagFile;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::key::{LinkKey, PayloadKey};
use crate::domain::crypto::passphrase::Passphrase;
use crate::domain::crypto::sealed::{Header, Tag};
use crate::domain::id::TransferId;

/// An upload that an earlier process has begun and not ended, and that no other process goes on with.
pub struct Unfinished {
    pub(super) id: TransferId,
    pub(super) page_url: String,
    pub(super) bytes_url: Option<String>,
    pub(super) link_key: LinkKey,
    key: PayloadKey,
    header: Header,
    envelope: Vec<u8>,
    source: Sha256,
    tags: Vec<Option<Tag>>,
    file: TagFile,
}

/// What is found of earlier uploads by one command.
pub enum Earlier {
    /// Nothing.
    None,
    /// One that can be gone on with.
    Unfinished(Box<Unfinished>),
    /// One that another process is at.
    Busy,
}

impl Unfinished {
    /// The latest unfinished upload by `command` to `server` in the directory `uploads`. Blocks.
    pub fn find(uploads: &Path, command: Sha256, server: &str) -> io::Result<Earlier> {
        leftovers::remove_old(uploads);
        let entries = match fs::read_dir(uploads) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Earlier::None),
            entries => entries?,
        };
        let mut files: Vec<(_, PathBuf)> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                Some((age_of(&path).filter(|age| *age <= OLDEST)?, path))
            })
            .collect();
        files.sort();
        for (_, path) in files {
            // What cannot be read is of another version, or was cut short by a crash before anything was sent.
            let Ok((state, _)) = UploadState::read(&path) else { continue };
            if state.command != command || state.server != server {
                continue;
            }
            match TagFile::open::<UploadState>(path) {
                Ok(None) => return Ok(Earlier::Busy),
                Ok(Some((file, (state, tags)))) => {
                    if let Some(unfinished) = Self::of(file, &state, tags) {
                        return Ok(Earlier::Unfinished(Box::new(unfinished)));
                    }
                }
                // Its process has ended it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Earlier::None)
    }

    /// Forgets the upload of this transfer, which is gone, in the directory `uploads`.
    pub fn forget(uploads: &Path, id: TransferId) {
        // It may never have been there.
        let _ = fs::remove_file(uploads.join(id.to_string()));
    }

    fn of(file: TagFile, state: &UploadState, tags: Vec<Option<Tag>>) -> Option<Self> {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let key = Zeroizing::new(decode(&state.payload_key)?);
        let key = <[u8; 32]>::try_from(key.as_slice()).ok()?;
        Some(Self {
            id: state.transfer_id.parse().ok()?,
            page_url: state.page_url.clone(),
            bytes_url: state.bytes_url.clone(),
            link_key: state.link_key.parse().ok()?,
            key: PayloadKey::from_bytes(Zeroizing::new(key)),
            header: Header::parse(&decode(&state.header)?).ok()?,
            envelope: decode(&state.envelope)?,
            source: state.source,
            tags,
            file,
        })
    }

    /// Which transfer it is.
    #[must_use]
    pub const fn id(&self) -> TransferId {
        self.id
    }

    /// Whether its link opens with a passphrase only.
    #[must_use]
    pub fn needs_passphrase(&self) -> bool {
        self.link_key.needs_passphrase()
    }

    /// Forgets it: there is nothing more to go on with.
    pub(super) fn remove(self) {
        self.file.remove();
    }

    /// Holds `source` against everything that may have been sent, and gives what seals the rest. Blocks for as long as it
    /// takes to read that much of the source.
    pub(super) fn check(&self, source: Source, passphrase: Option<&Passphrase>) -> Result<Segments, UploadError> {
        if let Some(passphrase) = passphrase {
            let key = self.link_key.payload_key(Some(passphrase));
            if !key.is_ok_and(|key| key.as_bytes() == self.key.as_bytes()) {
                return Err(UploadError::OtherPassphrase);
            }
        }
        if source.identity() != self.source {
            return Err(SourceError::Changed.into());
        }
        let segments = Segments::again(source, self.envelope.clone(), &self.key, self.header.clone())?;
        if segments.layout().segments() != self.tags.len() as u64 {
            return Err(SourceError::Changed.into());
        }
        compare(&segments, &self.tags)?;
        Ok(segments)
    }

    /// Goes on with it: `segments` are what [`check`](Self::check) has found.
    pub(super) fn go_on(self, segments: Segments) -> Again {
        let Self { id, page_url, bytes_url, link_key, tags, file, .. } = self;
        Again { id, page_url, bytes_url, link_key, segments, ledger: Ledger::resumed(file, tags) }
    }
}

/// An unfinished upload whose source is what it was.
pub(super) struct Again {
    pub id: TransferId,
    pub page_url: String,
    pub bytes_url: Option<String>,
    pub link_key: LinkKey,
    pub segments: Segments,
    pub ledger: Ledger,
}

/// Seals again what may have been sent, on two cores, and compares the tags.
fn compare(segments: &Segments, tags: &[Option<Tag>]) -> Result<(), UploadError> {
    let recorded: Vec<(u32, Tag)> = (0..).zip(tags).filter_map(|(index, tag)| Some((index, (*tag)?))).collect();
    let check = |half: &[(u32, Tag)]| {
        half.iter().try_for_each(|(index, tag)| {
            let is_same = segments.seal(*index)?.tag == *tag;
            if is_same { Ok(()) } else { Err(UploadError::from(LedgerError::Changed)) }
        })
    };
    let (first, second) = recorded.split_at(recorded.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| check(second));
        check(first).and(other.join().expect("sealing does not panic"))
    })
}
