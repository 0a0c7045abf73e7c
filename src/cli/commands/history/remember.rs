//! Adds an upload to the history.

use anyhow::Result;
use clap::Args;

use super::user_history;
use crate::client::HistoryEntry;
use crate::client::upload::Uploaded;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::version::V1;

/// History options of `sgsend upload`.
#[derive(Args, Clone, Debug)]
pub(crate) struct UploadArguments {
    /// Store the key in the history too, so that it can show the complete link
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
        })?)
    }
}
