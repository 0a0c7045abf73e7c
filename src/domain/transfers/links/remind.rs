//! Reminder that nobody has downloaded a transfer with further links.
//!
//! It is due before the last link expires. Each link has a schedule entry at the time before its own expiry; the sweeper
//! then reads all links.

use super::Transfers;
use crate::domain::error::Error;
use crate::domain::notification::NotificationKind;
use crate::domain::store::{Commit, Swap};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{FurtherLink, Transfer};

impl Transfers {
    /// Sends the reminder of a transfer with further links if it is due. Returns its time if it is to come later.
    pub(in crate::domain::transfers) async fn remind_with_links(
        &self,
        transfer: &mut Transfer,
    ) -> Result<Option<Timestamp>, Error> {
        let now = self.now();
        let Some(at) = self.links_reminder_at(transfer).await? else { return Ok(None) };
        if now < at {
            return Ok(Some(at));
        }
        *transfer = self
            .change(transfer.transfer_id, |mut transfer| {
                if !transfer.is_unclaimed() {
                    return Ok(Swap::Keep(transfer));
                }
                transfer.notifications.is_reminded = true;
                let mut with = Commit::with_reserve();
                transfer.notify(&mut with, &self.0.ids, now, &[NotificationKind::TransferExpiringUnclaimed]);
                Ok(Swap::write(transfer.clone(), with, transfer))
            })
            .await?;
        Ok(None)
    }

    /// Returns the time of the reminder; `None` if the transfer has none, or a recipient has downloaded it.
    async fn links_reminder_at(&self, transfer: &Transfer) -> Result<Option<Timestamp>, Error> {
        let now = self.now();
        if !transfer.is_unclaimed() {
            return Ok(None);
        }
        let mut end = transfer.own_link_at(now).state().is_open().then_some(transfer.own_link.expires_at);
        for id in &transfer.links {
            let Some(FurtherLink { link, .. }) = self.read_own_link(transfer.transfer_id, *id).await? else { continue };
            if link.download_count() > 0 {
                return Ok(None);
            }
            end = end.max(link.state_at(now).is_open().then_some(link.expires_at));
        }
        Ok(end.and_then(|end| transfer.reminder_before(end)))
    }
}
