//! State file of an upload, `uploads/{id}`. Contains keys and parameters of the payload, followed by its segment tags.

use std::fs::File;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::driver::address_of;
use super::segments::Segments;
use crate::client::pack::Plan;
use crate::client::tag_file::{self, TagFile};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::key::{LinkKey, PayloadKey};
use crate::domain::crypto::sealed::Tag;
use crate::domain::wire::CreatedTransfer;

/// Version of the format that this version writes.
const VERSION: u8 = 2;

/// Line in front of the tags. Has no `Debug` output, since it contains the keys.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct UploadState {
    /// Version of this format: 2.
    pub v: u8,
    /// Digest of the command: only the same command resumes the upload.
    #[zeroize(skip)]
    pub command: Sha256,
    /// Sizes, times and permissions of the archive's entries, in base64url; empty for a single file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub entries: String,
    /// Base URL of the service.
    pub server: String,
    /// Id of the transfer.
    pub transfer_id: String,
    /// The key in the link's text form.
    pub link_key: String,
    /// The payload key, in base64url.
    pub payload_key: String,
    /// The payload's header, in base64url.
    pub header: String,
    /// The envelope, which precedes the content, in base64url.
    pub envelope: String,
    /// URL of the transfer's page, as the service names it.
    pub page_url: String,
    /// Address at which the service itself accepts the payload, if it does.
    pub bytes_url: Option<String>,
}

impl UploadState {
    /// Creates the state of an upload by `command` to the service at `server`, for the transfer `created`.
    pub(super) fn of(
        command: Sha256,
        server: String,
        created: &CreatedTransfer,
        segments: &Segments,
        (link_key, key): (&LinkKey, &PayloadKey),
    ) -> Self {
        Self {
            v: VERSION,
            command,
            entries: segments.source().plan().and_then(Plan::recorded).unwrap_or_default(),
            server,
            transfer_id: created.transfer_id.to_string(),
            link_key: link_key.to_text().to_string(),
            payload_key: URL_SAFE_NO_PAD.encode(key.as_bytes()),
            header: URL_SAFE_NO_PAD.encode(segments.sealer().header().as_bytes()),
            envelope: URL_SAFE_NO_PAD.encode(segments.envelope()),
            page_url: created.page_url.clone(),
            bytes_url: address_of(&created.upload),
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

fn check_version(state: UploadState) -> io::Result<UploadState> {
    if state.v == VERSION { Ok(state) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::id::TransferId;

    pub(in crate::client::upload) fn state() -> UploadState {
        UploadState {
            v: VERSION,
            command: Sha256::of(b"command"),
            entries: String::new(),
            server: "https://send.example".into(),
            transfer_id: TransferId::random().to_string(),
            link_key: "v1.x".into(),
            payload_key: "k".into(),
            header: "h".into(),
            envelope: "e".into(),
            page_url: "https://send.example/d/x".into(),
            bytes_url: None,
        }
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
}
