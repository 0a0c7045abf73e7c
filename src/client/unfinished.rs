//! What is unfinished on this machine, and can be gone on with.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::leftovers::{OLDEST, age_of};
use super::upload::UploadState;
use crate::client::decrypt::part_of;
use crate::domain::crypto::envelope;
use crate::domain::id::TransferId;

/// A transfer that this user has begun to send or to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnfinishedTransfer {
    /// Which way it goes.
    pub kind: Way,
    /// Which transfer.
    pub transfer_id: TransferId,
    /// What it is called: what recipients would see, or the file that is being written.
    pub name: String,
    /// The service's address.
    pub server: String,
}

/// Which way a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// To the service.
    Upload,
    /// From the service.
    Download,
}

impl UnfinishedTransfer {
    /// Those that are recorded in the directories of unfinished uploads and downloads. What cannot be read is none. Blocks.
    #[must_use]
    pub fn all(uploads: &Path, downloads: &Path) -> Vec<Self> {
        let sent = files_in(uploads).into_iter().filter_map(|path| Self::upload(&path));
        let fetched = files_in(downloads).into_iter().filter_map(|path| Self::download(&path));
        sent.chain(fetched).collect()
    }

    fn upload(path: &Path) -> Option<Self> {
        let (state, _) = UploadState::read(path).ok()?;
        let head = URL_SAFE_NO_PAD.decode(&state.envelope).ok()?;
        let name = envelope::decode(&head).ok()??.metadata.filename;
        let transfer_id = state.transfer_id.parse().ok()?;
        Some(Self { kind: Way::Upload, transfer_id, name, server: state.server.clone() })
    }

    fn download(path: &Path) -> Option<Self> {
        let transfer_id = path.file_name()?.to_str()?.split('-').next()?.parse().ok()?;
        let (part, server) = part_of(path)?;
        let name = part.exists().then(|| part.display().to_string())?;
        Some(Self { kind: Way::Download, transfer_id, name, server })
    }
}

/// The files in a directory that are not too old, the latest first.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> = paths.filter_map(|path| Some((age_of(&path)?, path))).collect();
    files.retain(|(age, _)| *age <= OLDEST);
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}
