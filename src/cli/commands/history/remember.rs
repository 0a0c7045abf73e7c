//! Adds an upload to the history, and records the end of its transfer.

use anyhow::Result;
use clap::Args;

use super::user_history;
use crate::cli::config::paths;
use crate::client::upload::Uploaded;
use crate::client::{History, HistoryEntry};
use crate::domain::base_url::BaseUrl;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::id::TransferId;
use crate::domain::link::Link;
use crate::domain::transfer::Status;
use crate::domain::version::V1;

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

/// History options of `sgsend upload`.
#[derive(Args, Clone, Debug)]
pub(crate) struct UploadArguments {
    /// Also store the key in the history, so that `sgsend history` shows the complete link
    #[arg(long, conflicts_with = "no_history")]
    keep_key: bool,
    /// Do not add this upload to the history
    #[arg(long)]
    no_history: bool,
}

impl UploadArguments {
    /// Adds an upload, unless `--no-history` is set.
    pub(crate) fn add(&self, uploaded: &Uploaded, name: &str) -> Result<()> {
        if self.no_history {
            return Ok(());
        }
        let status = &uploaded.completed.status;
        let key = uploaded.link.key.as_ref().filter(|_| self.keep_key);
        Ok(user_history()?.add(&HistoryEntry {
            v: V1,
            transfer_id: status.transfer_id,
            sent_at: SystemClock.now(),
            name: name.to_owned(),
            size: uploaded.content_bytes,
            link: uploaded.link.without_key(),
            key: key.map(|key| key.to_text().to_string()),
            expires_at: status.expires_at,
            max_downloads: status.max_downloads,
            ended: None,
        })?)
    }
}
