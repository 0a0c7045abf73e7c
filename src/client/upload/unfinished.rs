//! Unfinished uploads of earlier processes, and how to resume them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::completion::{PendingSignature, SavedSigning};
use super::journal::Journal;
use super::segments::Segments;
use super::source::{SourceChange, UploadSource};
use super::state::{self, SavedLink, UploadState};
use super::verify::compare;
use super::{StatementSigner, UploadError};
use crate::client::NewLink;
use crate::client::state_files::{MAX_AGE, age_of};
use crate::client::tag_file::TagFile;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::envelope;
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::crypto::info::SealedInfo;
use crate::domain::crypto::key::{LinkKey, PayloadKey};
use crate::domain::crypto::padding::Padding;
use crate::domain::crypto::passphrase::Passphrase;
use crate::domain::crypto::proof::AccessProof;
use crate::domain::crypto::sealed::{Header, Tag};
use crate::domain::id::TransferId;
use crate::domain::people::recipient_keys::KeysBlob;

/// Unfinished upload of an earlier process, locked by this process.
pub struct UnfinishedUpload {
    pub(super) id: TransferId,
    pub(super) page_url: String,
    pub(super) bytes_url: Option<String>,
    pub(super) link_key: LinkKey,
    links: Vec<NewLink>,
    /// Digest of the access proof, with a passphrase.
    access_sha256: Option<Sha256>,
    header: Header,
    envelope: Vec<u8>,
    padding: Padding,
    info: SealedInfo,
    keys: Option<KeysBlob>,
    guest: Option<GuestProof>,
    signing: Option<SavedSigning>,
    entries: String,
    tags: Vec<Option<Tag>>,
    file: TagFile,
}

/// Result of the search for an unfinished upload of a command.
pub enum EarlierUpload {
    /// No unfinished upload exists.
    None,
    /// An unfinished upload can be resumed.
    Unfinished(Box<UnfinishedUpload>),
    /// Another process is running the upload.
    Busy,
}

impl UnfinishedUpload {
    /// Finds the latest unfinished upload by `command` to `server` in the directory `uploads`. Blocks.
    pub fn find(uploads: &Path, command: Sha256, server: &str) -> io::Result<EarlierUpload> {
        state::remove_stale(uploads, SystemClock.now());
        let entries = match fs::read_dir(uploads) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(EarlierUpload::None);
            }
            entries => entries?,
        };
        let mut files: Vec<(_, PathBuf)> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                Some((age_of(&path).filter(|age| *age <= MAX_AGE)?, path))
            })
            .collect();
        files.sort();
        for (_, path) in files {
            // Unreadable files have another version, or were truncated by a crash before anything was sent.
            let Ok(state) = UploadState::read(&path) else { continue };
            if state.command != command || state.server != server {
                continue;
            }
            match TagFile::open::<UploadState>(path) {
                Ok(None) => return Ok(EarlierUpload::Busy),
                Ok(Some((file, (state, tags)))) => {
                    if let Some(unfinished) = Self::of(file, &state, tags) {
                        return Ok(EarlierUpload::Unfinished(Box::new(unfinished)));
                    }
                }
                // The other process has finished in the meantime.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(EarlierUpload::None)
    }

    /// Removes the state file of a deleted transfer from the directory `uploads`.
    pub fn forget(uploads: &Path, id: TransferId) {
        // The file may not exist.
        let _ = fs::remove_file(uploads.join(id.to_string()));
    }

    fn of(file: TagFile, state: &UploadState, tags: Vec<Option<Tag>>) -> Option<Self> {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let link_key: LinkKey = state.link_key.parse().ok()?;
        if link_key.is_further() || link_key.needs_passphrase() != state.access_sha256.is_some() {
            return None;
        }
        Some(Self {
            id: state.transfer_id.parse().ok()?,
            page_url: state.page_url.clone(),
            bytes_url: state.bytes_url.clone(),
            link_key,
            links: state.links.iter().map(SavedLink::parse).collect::<Option<_>>()?,
            access_sha256: state.access_sha256,
            header: Header::parse(&decode(&state.header)?).ok()?,
            envelope: decode(&state.envelope)?,
            padding: state.padding,
            info: state.info.clone(),
            keys: state.keys.clone(),
            guest: state.guest.as_deref().map(str::parse).transpose().ok()?,
            signing: state.signing.clone(),
            entries: state.entries.clone(),
            tags,
            file,
        })
    }

    /// Returns the transfer's id.
    #[must_use]
    pub const fn id(&self) -> TransferId {
        self.id
    }

    /// Returns the guest proof of an upload for a request.
    #[must_use]
    pub const fn guest(&self) -> Option<&GuestProof> {
        self.guest.as_ref()
    }

    /// Returns whether the link needs a passphrase.
    #[must_use]
    pub fn needs_passphrase(&self) -> bool {
        self.link_key.needs_passphrase()
    }

    /// Removes the state file of an upload that cannot be resumed.
    pub(super) fn remove(self) {
        self.file.remove();
    }

    /// Derives the payload key. Blocks, because a passphrase goes through a slow key derivation.
    ///
    /// # Errors
    /// [`UploadError::OtherPassphrase`] if the upload was started with another passphrase, or with none.
    pub(super) fn payload_key(&self, passphrase: Option<&Passphrase>) -> Result<PayloadKey, UploadError> {
        let secret = self.link_key.unlock(passphrase).map_err(|_| UploadError::OtherPassphrase)?;
        let key = secret.into_own().expect("the state has the key of an own link");
        match self.access_sha256 {
            Some(expected) if AccessProof::of(&key).digest() != expected => Err(UploadError::OtherPassphrase),
            _ => Ok(key),
        }
    }

    /// Returns the signature to make, with the key that the upload was started with.
    ///
    /// # Errors
    /// [`UploadError::OtherSigner`] for another key or none; [`UploadError::OtherPassphrase`].
    pub(super) fn signature(
        &self,
        signer: Option<Arc<dyn StatementSigner>>,
        passphrase: Option<&Passphrase>,
    ) -> Result<Option<PendingSignature>, UploadError> {
        match (&self.signing, signer) {
            (None, None) => Ok(None),
            (Some(saved), Some(signer)) if signer.key().to_string() == saved.signer => {
                let (recipients, signed_at) = (saved.recipients.clone(), saved.signed_at);
                Ok(Some(PendingSignature { signer, recipients, signed_at, key: self.payload_key(passphrase)? }))
            }
            _ => Err(UploadError::OtherSigner),
        }
    }

    /// Compares `source` with all segments that may have been sent. Returns the payload to seal the rest from.
    ///
    /// Blocks for the time of reading and sealing those segments.
    pub(super) fn check(&self, source: UploadSource, passphrase: Option<&Passphrase>) -> Result<Segments, UploadError> {
        let key = self.payload_key(passphrase)?;
        let size = envelope::decode(&self.envelope).ok().flatten().map(|envelope| envelope.metadata.size);
        let source = match size {
            Some(size) => source.with_entries_of(&self.entries).cut_to(size),
            None => source,
        };
        // Other times may come from `touch` or `chmod`: the content of the segments decides.
        if size != Some(source.size()) {
            // The size of an archive changes for many reasons.
            let change = match size {
                Some(size) if source.plan().is_none() => SourceChange::of_size(source.size(), size, false),
                _ => None,
            };
            return Err(change.unwrap_or(SourceChange::Content).in_file(None).into());
        }
        let segments = Segments::resume(source, self.envelope.clone(), self.padding, (&key, self.header.clone()))?;
        // Segments that the earlier process has sealed are hashed again here.
        let segments = if self.signing.is_some() { segments.hashed() } else { segments };
        if segments.layout().segments() != self.tags.len() as u64 {
            return Err(SourceChange::Content.in_file(None).into());
        }
        let recorded: Vec<_> = (0..).zip(&self.tags).filter_map(|(index, tag)| Some((index, (*tag)?))).collect();
        compare(&segments, &recorded)?;
        Ok(segments)
    }

    /// Resumes the upload with the `segments` that [`check`](Self::check) returned.
    pub(super) fn resume(self, segments: Segments, signature: Option<PendingSignature>) -> Resumed {
        let Self { id, page_url, bytes_url, link_key, links, info, keys, tags, file, .. } = self;
        let journal = Journal::resumed(file, tags);
        Resumed { id, page_url, bytes_url, link_key, links, segments, info, keys, signature, journal }
    }
}

/// Unfinished upload whose source is unchanged.
pub(super) struct Resumed {
    pub id: TransferId,
    pub page_url: String,
    pub bytes_url: Option<String>,
    pub link_key: LinkKey,
    pub links: Vec<NewLink>,
    pub segments: Segments,
    pub info: SealedInfo,
    pub keys: Option<KeysBlob>,
    pub signature: Option<PendingSignature>,
    pub journal: Journal,
}
