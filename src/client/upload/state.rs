//! State file of an upload, `uploads/{id}`: link key, payload parameters and segment tags.
//!
//! The file never contains the payload key of an upload with a passphrase, nor the passphrase: resuming needs the
//! passphrase again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::StateFileLocation;
use super::completion::{PendingSignature, SavedSigning};
use super::driver::address_of;
use super::error::UnsavedState;
use super::segments::Segments;
use crate::client::NewLink;
use crate::client::pack::Plan;
use crate::client::state_files::MAX_AGE;
use crate::client::tag_file::{self, TagFile};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::crypto::info::SealedInfo;
use crate::domain::crypto::key::{LinkKey, PayloadKey};
use crate::domain::crypto::label::LinkName;
use crate::domain::crypto::padding::Padding;
use crate::domain::crypto::proof::AccessProof;
use crate::domain::crypto::sealed::Tag;
use crate::domain::people::recipient_keys::KeysBlob;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::{CreateLink, CreatedTransfer};

/// Version of the format that this version writes.
const VERSION: u8 = 5;
/// Number of bytes at the start of a state file that contain its version and expiry time.
const HEAD_BYTES: usize = 128;
/// Time between the expiry of a transfer and the removal of its state. The server's clock may be slow.
const EXPIRY_GRACE: Duration = Duration::from_hours(1);

/// Maximum encrypted size, in bytes, of an upload whose tags are kept in memory only.
const IN_MEMORY_BYTES: u64 = 8 * 1024 * 1024;

/// Line in front of the tags. Has no `Debug` output, since it contains the link key.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct UploadState {
    /// Version of this format: 5.
    pub v: u8,
    /// Expiry time of the transfer (UTC).
    #[zeroize(skip)]
    pub expires_at: Timestamp,
    /// Digest of the command: only the same command resumes the upload.
    #[zeroize(skip)]
    pub command: Sha256,
    /// Base URL of the service.
    pub server: String,
    /// Id of the transfer.
    pub transfer_id: String,
    /// The key in the link's text form; with a passphrase, useless without the passphrase.
    pub link_key: String,
    /// Further links of the transfer, with their keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<SavedLink>,
    /// Digest of the access proof of an upload with a passphrase, to tell another passphrase apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[zeroize(skip)]
    pub access_sha256: Option<Sha256>,
    /// The payload's header, in base64url.
    pub header: String,
    /// The envelope, which precedes the content, in base64url.
    pub envelope: String,
    /// Padding of the payload.
    #[zeroize(skip)]
    pub padding: Padding,
    /// Encrypted info block.
    #[zeroize(skip)]
    pub info: SealedInfo,
    /// Payload key wrapped for recipients, or for the owner of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[zeroize(skip)]
    pub keys: Option<KeysBlob>,
    /// Data that the sender signs besides the payload, if it is to be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[zeroize(skip)]
    pub signing: Option<SavedSigning>,
    /// Guest proof of an upload for a request, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
    /// URL of the transfer's page, as the service names it.
    pub page_url: String,
    /// Address at which the service itself accepts the payload, if it does.
    pub bytes_url: Option<String>,
    /// Sizes, times and permissions of the archive's entries, in base64url; empty for a single file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub entries: String,
}

/// Further link in a state file. With a passphrase, its key is useless without the passphrase.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct SavedLink {
    /// Name of the link.
    #[zeroize(skip)]
    name: LinkName,
    /// Key of the link in its text form.
    key: String,
    /// Request that creates the link.
    #[zeroize(skip)]
    request: CreateLink,
}

impl SavedLink {
    fn of(link: &NewLink) -> Self {
        Self { name: link.name.clone(), key: link.key.to_text().to_string(), request: link.request.clone() }
    }

    /// Restores the link. Returns `None` if its key is damaged.
    pub(super) fn parse(&self) -> Option<NewLink> {
        let key = self.key.parse().ok()?;
        Some(NewLink { name: self.name.clone(), key, request: self.request.clone() })
    }
}

/// First members of every version's line.
#[derive(Deserialize)]
struct StateHead {
    v: u8,
    expires_at: Option<Timestamp>,
}

impl UploadState {
    /// Creates the state of an upload by `command` to the service at `server`, for the transfer `created`.
    pub(super) fn of(
        (command, server): (Sha256, String),
        created: &CreatedTransfer,
        (segments, padding, info): (&Segments, Padding, &SealedInfo),
        (keys, signature): (Option<&KeysBlob>, Option<&PendingSignature>),
        (link_key, key, links): (&LinkKey, &PayloadKey, &[NewLink]),
        guest: Option<&GuestProof>,
    ) -> Self {
        Self {
            v: VERSION,
            expires_at: created.expires_at,
            command,
            server,
            transfer_id: created.transfer_id.to_string(),
            link_key: link_key.to_text().to_string(),
            links: links.iter().map(SavedLink::of).collect(),
            access_sha256: link_key.needs_passphrase().then(|| AccessProof::of(key).digest()),
            header: URL_SAFE_NO_PAD.encode(segments.sealer().header().as_bytes()),
            envelope: URL_SAFE_NO_PAD.encode(segments.envelope()),
            padding,
            info: info.clone(),
            keys: keys.cloned(),
            signing: signature.map(SavedSigning::of),
            guest: guest.map(|proof| proof.to_text().to_string()),
            page_url: created.page_url.clone(),
            bytes_url: address_of(&created.upload),
            entries: segments.source().plan().and_then(Plan::recorded).unwrap_or_default(),
        }
    }

    /// Creates the state file in the directory `uploads`, durably: nothing is sent before the file exists. Blocks.
    pub(super) fn create_in(&self, uploads: &Path, segments: u64) -> io::Result<TagFile> {
        let mut file = TagFile::create(uploads.join(&self.transfer_id), self, segments)?;
        match file.sync_all() {
            Ok(()) => Ok(file),
            Err(error) => {
                file.remove();
                Err(error)
            }
        }
    }

    /// Reads the state of a state file, without its tags.
    pub fn read(path: &Path) -> io::Result<Self> {
        tag_file::read_front(&File::open(path)?).and_then(check_version)
    }

    /// Parses the contents of a state file.
    pub fn parse(bytes: &[u8]) -> io::Result<(Self, Vec<Option<Tag>>)> {
        let (state, tags) = tag_file::parse(bytes)?;
        Ok((check_version(state)?, tags))
    }
}

/// Removes the state files in `uploads` that can no longer be resumed, unless a process uses them. Ignores errors.
///
/// These are files of expired transfers, files of earlier versions, and files that are older than a week.
pub(in crate::client) fn remove_stale(uploads: &Path, now: Timestamp) {
    for entry in fs::read_dir(uploads).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if entry.metadata().is_ok_and(|metadata| metadata.is_file() && is_stale(&path, &metadata, now)) {
            tag_file::remove_unused(&path);
        }
    }
}

fn is_stale(path: &Path, metadata: &fs::Metadata, now: Timestamp) -> bool {
    let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
    if age.is_some_and(|age| age > MAX_AGE) {
        return true;
    }
    read_head(path).is_some_and(|head| {
        head.v < VERSION || head.expires_at.is_some_and(|expires_at| expires_at.plus(EXPIRY_GRACE) <= now)
    })
}

/// Reads the first members of a state file, without the line's rest, which can have a few MiB.
fn read_head(path: &Path) -> Option<StateHead> {
    let mut start = Vec::with_capacity(HEAD_BYTES);
    File::open(path).ok()?.take(HEAD_BYTES as u64).read_to_end(&mut start).ok()?;
    let (members, _) = std::str::from_utf8(&start).ok()?.split_once(",\"command\":")?;
    serde_json::from_str(&format!("{members}}}")).ok()
}

fn check_version(state: UploadState) -> io::Result<UploadState> {
    if state.v == VERSION { Ok(state) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Returns the directory of the state file, and the command's digest, for an upload of `sealed` bytes.
pub(super) fn state_directory(
    sealed: u64,
    location: StateFileLocation,
) -> Result<Option<(PathBuf, Sha256)>, UnsavedState> {
    match location {
        _ if sealed <= IN_MEMORY_BYTES => Ok(None),
        StateFileLocation::Disabled => Ok(None),
        StateFileLocation::NoStateDirectory => Err(UnsavedState::NoDirectory),
        StateFileLocation::Directory { uploads, command } => Ok(Some((uploads, command))),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::domain::id::TransferId;

    pub(in crate::client::upload) fn state() -> UploadState {
        UploadState {
            v: VERSION,
            expires_at: Timestamp::from_millis(1_000_000_000_000),
            command: Sha256::of(b"command"),
            server: "https://send.example".into(),
            transfer_id: TransferId::random().to_string(),
            link_key: "v1.x".into(),
            links: Vec::new(),
            access_sha256: None,
            header: "h".into(),
            envelope: "e".into(),
            padding: Padding::Padme,
            info: SealedInfo::example(),
            keys: None,
            signing: None,
            guest: None,
            page_url: "https://send.example/d/x".into(),
            bytes_url: None,
            entries: String::new(),
        }
    }

    /// Creates a state file whose process has ended.
    fn left(uploads: &Path, change: impl FnOnce(&mut UploadState)) -> PathBuf {
        let mut state = state();
        change(&mut state);
        drop(state.create_in(uploads, 5).unwrap());
        uploads.join(&state.transfer_id)
    }

    #[test]
    fn states_of_expired_transfers_and_earlier_versions_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let expiry = state().expires_at;
        let expired = left(folder.path(), |_| {});
        let large = left(folder.path(), |state| state.entries = "e".repeat(1_000_000));
        let later = left(folder.path(), |state| state.expires_at = expiry.plus(Duration::from_hours(1)));
        let earlier = left(folder.path(), |state| state.v = VERSION - 1);
        let newer = left(folder.path(), |state| state.v = VERSION + 1);
        // Version 2 had no expiry time, and contained the payload key.
        let second = folder.path().join("second");
        fs::write(&second, r#"{"v":2,"command":"","payload_key":"k"}"#).unwrap();
        let other = folder.path().join("other");
        fs::write(&other, "no state").unwrap();
        let used = state();
        let in_use = used.create_in(folder.path(), 5).unwrap();
        remove_stale(folder.path(), expiry.plus(EXPIRY_GRACE.saturating_sub(Duration::from_millis(1))));
        assert!(expired.exists() && large.exists() && !second.exists() && !earlier.exists());
        remove_stale(folder.path(), expiry.plus(EXPIRY_GRACE));
        let remaining = |path: &Path| path.exists();
        assert!(!remaining(&expired) && !remaining(&large) && !remaining(&newer));
        assert!(remaining(&later) && remaining(&other));
        let used = folder.path().join(&used.transfer_id);
        assert!(remaining(&used), "a state in use was removed");
        drop(in_use);
        remove_stale(folder.path(), expiry.plus(EXPIRY_GRACE));
        assert!(!remaining(&used));
    }

    #[test]
    fn old_states_are_removed_whatever_they_contain() {
        let folder = tempfile::tempdir().unwrap();
        let age = |path: &Path, hours| {
            let file = File::options().append(true).create(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
        };
        let (old, young) = (folder.path().join("old"), folder.path().join("young"));
        age(&old, 24 * 8);
        age(&young, 24 * 6);
        remove_stale(folder.path(), Timestamp::from_millis(0));
        assert!(!old.exists() && young.exists());
        remove_stale(&folder.path().join("missing"), Timestamp::from_millis(0));
    }

    #[test]
    fn a_saved_state_is_read_back() {
        let uploads = tempfile::tempdir().unwrap();
        let state = state();
        let file = state.create_in(uploads.path(), 5).unwrap();
        let path = uploads.path().join(&state.transfer_id);
        let (read, tags) = UploadState::parse(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(UploadState::read(&path).unwrap().transfer_id, read.transfer_id);
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&state).unwrap());
        assert_eq!(tags, [None; 5]);
        file.remove();
    }

    #[test]
    fn a_state_of_another_version_is_rejected() {
        let mut other = serde_json::to_value(state()).unwrap();
        other["v"] = 1.into();
        assert!(UploadState::parse(format!("{other}\n").as_bytes()).is_err());
    }

    #[test]
    fn small_uploads_need_no_directory() {
        let directory = || StateFileLocation::Directory { uploads: PathBuf::from("/state"), command: Sha256::of(b"") };
        assert!(matches!(state_directory(IN_MEMORY_BYTES, StateFileLocation::NoStateDirectory), Ok(None)));
        assert!(matches!(state_directory(IN_MEMORY_BYTES, directory()), Ok(None)));
        assert!(matches!(state_directory(IN_MEMORY_BYTES + 1, directory()), Ok(Some(_))));
        assert!(matches!(state_directory(IN_MEMORY_BYTES + 1, StateFileLocation::Disabled), Ok(None)));
        assert!(matches!(
            state_directory(IN_MEMORY_BYTES + 1, StateFileLocation::NoStateDirectory),
            Err(UnsavedState::NoDirectory)
        ));
    }
}
