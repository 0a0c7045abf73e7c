//! The state of an upload on disk: `uploads/{id}`, a file of tags behind what a payload is made from.

use std::fs::File;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::driver::address_of;
use super::segments::Segments;
use crate::client::tag_file::{self, TagFile};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::key::{LinkKey, PayloadKey};
use crate::domain::crypto::sealed::Tag;
use crate::domain::wire::CreatedTransfer;

/// The version of the form that is written here.
const VERSION: u8 = 2;

/// What stands in front of the tags. Has no `Debug` output: it holds the keys.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct UploadState {
    /// The version of this form: 2.
    pub v: u8,
    /// What was to be sent, and how: the same command goes on with it.
    #[zeroize(skip)]
    pub command: Sha256,
    /// What the source was, as far as can be told without reading it.
    #[zeroize(skip)]
    pub source: Sha256,
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
    /// The page of the transfer, as the service names it.
    pub page_url: String,
    /// Where the service takes the payload itself, if it does.
    pub bytes_url: Option<String>,
}

impl UploadState {
    /// What is kept of an upload by `command` to the service at `server`, which has `created` a transfer for it.
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
            source: segments.source().identity(),
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

    /// Makes the file of it in the directory `uploads`, durably: nothing is sent before it is there. Blocks.
    pub(super) fn keep(&self, uploads: &Path, segments: u64) -> io::Result<TagFile> {
        let mut file = TagFile::create(uploads.join(&self.transfer_id), self, segments)?;
        match file.sync_all() {
            Ok(()) => Ok(file),
            Err(error) => {
                file.remove();
                Err(error)
            }
        }
    }

    /// Reads a state file: the state, and the tag of every segment that may have been sent.
    pub fn read(path: &Path) -> io::Result<(Self, Vec<Option<Tag>>)> {
        checked(tag_file::read(&mut File::open(path)?)?)
    }

    /// Reads what a state file holds.
    pub fn parse(bytes: &[u8]) -> io::Result<(Self, Vec<Option<Tag>>)> {
        checked(tag_file::parse(bytes)?)
    }
}

fn checked(contents: tag_file::TagFileContents<UploadState>) -> io::Result<tag_file::TagFileContents<UploadState>> {
    if contents.0.v == VERSION { Ok(contents) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::id::TransferId;

    pub(in crate::client::upload) fn state() -> UploadState {
        UploadState {
            v: VERSION,
            command: Sha256::of(b"command"),
            source: Sha256::of(b"source"),
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
    fn a_state_is_read_as_it_was_kept() {
        let uploads = tempfile::tempdir().unwrap();
        let state = state();
        let file = state.keep(uploads.path(), 5).unwrap();
        let (read, tags) = UploadState::read(&uploads.path().join(&state.transfer_id)).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&state).unwrap());
        assert_eq!(tags, [None; 5]);
        file.remove();
    }

    #[test]
    fn a_state_of_another_version_is_none() {
        let mut other = serde_json::to_value(state()).unwrap();
        other["v"] = 1.into();
        assert!(UploadState::parse(format!("{other}\n").as_bytes()).is_err());
    }
}
