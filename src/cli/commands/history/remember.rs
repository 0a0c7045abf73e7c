//! Adds an upload to the history, and records the end of its transfer.

use anyhow::Result;
use clap::Args;

use super::user_history;
use crate::cli::config::guest_uploads::GuestUploads;
use crate::cli::config::paths;
use crate::client::upload::Uploaded;
use crate::client::{History, HistoryEntry, HistoryLink, NamedLink};
use crate::domain::base_url::BaseUrl;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::id::TransferId;
use crate::domain::link::Link;
use crate::domain::transfer::Status;
use crate::domain::version::V1;
use crate::domain::wire::LinkItem;

/// Records in the history that a transfer has ended. Best effort: the history only informs the user.
///
/// With `server`, ends only an entry whose link leads to that server: another server may use the same id.
pub(crate) fn record_end(id: TransferId, status: Status, server: Option<&BaseUrl>) {
    if !matches!(status, Status::Expired | Status::Exhausted | Status::Deleted | Status::Closed) {
        return;
    }
    let link = server.map(|server| Link { base_url: server.clone(), transfer_id: id, key: None }.without_key());
    if let Some(state) = paths::state_directory() {
        let _ = History::of(&state).mark_ended(id, status, link.as_deref());
    }
}

/// Describes a further link for the history.
pub(crate) fn history_link(named: &NamedLink, keep_key: bool) -> HistoryLink {
    let key = named.link.key.as_ref().filter(|_| keep_key);
    HistoryLink {
        link_id: named.item.link_id,
        name: named.name.to_string(),
        link: named.link.without_key(),
        key: key.map(|key| key.to_text().to_string()),
        expires_at: named.item.expires_at,
        max_downloads: named.item.max_downloads,
        ended: None,
    }
}

/// Finds this user's upload to a server by the id of its transfer or of one of its links.
pub(crate) fn find_upload(id: TransferId, server: &BaseUrl) -> Option<HistoryEntry> {
    let link = |id| Link { base_url: server.clone(), transfer_id: id, key: None }.without_key();
    let entries = History::of(&paths::state_directory()?).read().ok()?;
    entries.into_iter().rev().find(|entry| {
        let is_further = |further: &HistoryLink| further.link_id.as_transfer() == id && further.link == link(id);
        entry.transfer_id == id && entry.link == link(id) || entry.links.iter().any(is_further)
    })
}

/// Records changed limits of a link in the history. Best effort: the history only informs the user.
pub(crate) fn record_change(item: &LinkItem) {
    if let Some(state) = paths::state_directory() {
        let _ = History::of(&state).mark_changed(item.link_id, item.expires_at, item.max_downloads);
    }
}

/// Adds a further link to the history, if it has the transfer. Best effort: the history only informs the user.
pub(crate) fn record_link(id: TransferId, named: &NamedLink, keep_key: bool) {
    if let Some(state) = paths::state_directory() {
        let _ = History::of(&state).add_link(id, history_link(named, keep_key));
    }
}

/// History options of `sgsend upload`.
#[derive(Args, Clone, Debug)]
pub(crate) struct UploadArguments {
    /// Also store the key in the history, so that `sgsend history` shows the complete link
    #[arg(long, conflicts_with = "no_history")]
    keep_key: bool,
    /// Do not add this upload to the history; with --request, keep nothing with which it could be deleted
    #[arg(long)]
    no_history: bool,
}

impl UploadArguments {
    /// Records an upload for a request, so that its guest can delete it, unless `--no-history` is set.
    pub(crate) fn add_guest(&self, uploaded: &Uploaded, proof: Option<&GuestProof>) -> std::io::Result<()> {
        let Some(proof) = proof.filter(|_| !self.no_history) else { return Ok(()) };
        let status = &uploaded.completed.status;
        GuestUploads::of_user().add(status.transfer_id, proof, (status.expires_at, SystemClock.now()))
    }

    /// Adds uploads with their names, unless `--no-history` is set.
    pub(crate) fn add(&self, uploads: &[(&Uploaded, &str)]) -> Result<()> {
        if self.no_history || uploads.is_empty() {
            return Ok(());
        }
        let entries: Vec<_> = uploads.iter().map(|(uploaded, name)| self.entry(uploaded, name)).collect();
        Ok(user_history()?.add_all(&entries)?)
    }

    fn entry(&self, uploaded: &Uploaded, name: &str) -> HistoryEntry {
        let status = &uploaded.completed.status;
        let key = uploaded.link.key.as_ref().filter(|_| self.keep_key);
        HistoryEntry {
            v: V1,
            transfer_id: status.transfer_id,
            sent_at: SystemClock.now(),
            name: name.to_owned(),
            size: uploaded.content_bytes,
            link: uploaded.link.without_key(),
            key: key.map(|key| key.to_text().to_string()),
            expires_at: status.expires_at,
            max_downloads: status.max_downloads,
            links: uploaded.links.iter().map(|named| history_link(named, self.keep_key)).collect(),
            ended: None,
        }
    }
}
