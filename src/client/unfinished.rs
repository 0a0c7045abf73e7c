//! Lists this user's unfinished transfers that can be resumed.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::state_files::{MAX_AGE, age_of};
use super::upload::UploadState;
use super::{download, upload};
use crate::client::decrypt::part_of;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::crypto::envelope;
use crate::domain::id::TransferId;

/// Unfinished upload or download of this user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnfinishedTransfer {
    /// Direction of the transfer.
    pub kind: Direction,
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// The file name shown to recipients, or the path of the partial download.
    pub name: String,
    /// Base URL of the service.
    pub server: String,
}

/// Direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the service.
    Upload,
    /// From the service.
    Download,
}

impl UnfinishedTransfer {
    /// Lists the transfers with a valid state file in `uploads` or `downloads`; skips unreadable files. Blocks.
    #[must_use]
    pub fn all(uploads: &Path, downloads: &Path) -> Vec<Self> {
        let unfinished_uploads = files_in(uploads).into_iter().filter_map(|path| Self::upload(&path));
        let unfinished_downloads = files_in(downloads).into_iter().filter_map(|path| Self::download(&path));
        unfinished_uploads.chain(unfinished_downloads).collect()
    }

    /// Removes the state of transfers in `uploads` or `downloads` that can no longer be resumed. Ignores errors. Blocks.
    ///
    /// Reads directory entries, and the first bytes of each upload's state file.
    pub fn remove_stale(uploads: &Path, downloads: &Path) {
        upload::remove_stale(uploads, SystemClock.now());
        download::remove_stale(downloads);
    }

    fn upload(path: &Path) -> Option<Self> {
        let state = UploadState::read(path).ok()?;
        let head = URL_SAFE_NO_PAD.decode(&state.envelope).ok()?;
        let name = envelope::decode(&head).ok()??.metadata.filename;
        let transfer_id = state.transfer_id.parse().ok()?;
        Some(Self { kind: Direction::Upload, transfer_id, name, server: state.server.clone() })
    }

    fn download(path: &Path) -> Option<Self> {
        let transfer_id = path.file_name()?.to_str()?.split('-').next()?.parse().ok()?;
        let (part, server) = part_of(path)?;
        let name = part.exists().then(|| part.display().to_string())?;
        Some(Self { kind: Direction::Download, transfer_id, name, server })
    }
}

/// Returns the files of a directory that are not too old, newest first.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> = paths.filter_map(|path| Some((age_of(&path)?, path))).collect();
    files.retain(|(age, _)| *age <= MAX_AGE);
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}
