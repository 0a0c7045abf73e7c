//! Changes of a link by its sender: expiry, download limit, closing.

use super::{Transfers, check_limit, lifetime};
use crate::domain::audit::{ChangeResult, EventKind, RequestScope};
use crate::domain::error::{Error, chain};
use crate::domain::id::LinkId;
use crate::domain::notification::NotificationKind;
use crate::domain::store::{Commit, StorageKey, Swap};
use crate::domain::transfer::{LinkChange, ResolvedLink, State, Transfer};
use crate::domain::transfers::status_change;
use crate::domain::wire::UpdateLink;

impl Transfers {
    /// Finds a link of a transfer by its id: the own link by the id of the transfer.
    ///
    /// # Errors
    /// [`Error::LinkNotFound`].
    pub async fn link_of(&self, scope: &RequestScope, transfer: Transfer, id: LinkId) -> Result<ResolvedLink, Error> {
        if id == transfer.transfer_id.into() {
            return Ok(transfer.into());
        }
        let listed = transfer.links.contains(&id);
        let link = if listed { self.read_own_link(transfer.transfer_id, id).await? } else { None };
        let further = Some(link.ok_or(Error::LinkNotFound)?);
        scope.set_link(id);
        Ok(ResolvedLink { transfer, further })
    }

    /// Changes expiry time and download limit of a link.
    ///
    /// A limit at or below the number of counted downloads ends the link at once. Nothing revives an ended link. A link
    /// that gets a limit counts the grants that it gave out without one: see `gather`.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`]; [`Error::TransferExpired`], [`Error::TransferExhausted`], [`Error::TransferDeleted`],
    /// [`Error::LinkClosed`] if the link has ended.
    pub async fn update_link(
        &self,
        scope: &RequestScope,
        link: ResolvedLink,
        request: &UpdateLink,
    ) -> Result<ResolvedLink, Error> {
        let (id, now) = (link.transfer.transfer_id, self.now());
        let expires_at = request.expires_in_s.map(lifetime).transpose()?.map(|lifetime| now.plus(lifetime));
        check_limit(request.max_downloads.flatten())?;
        // Gathering the grants, which may fail, decides the response.
        let result = ChangeResult::Undetermined;
        // The entry at the new time comes with the change: an earlier expiry must not wait for the entry of the old one.
        let entries = |at| link.transfer.reminder_entry(at).into_iter().chain([StorageKey::schedule_entry(at, id)]);
        let change = LinkChange { expires_at, max_downloads: request.max_downloads };
        let schedule: Vec<_> = expires_at.into_iter().flat_map(entries).collect();
        let commit = |ended: bool, end: EventKind| {
            let events = [EventKind::LinkUpdated, end];
            let mut schedule = schedule.clone();
            schedule.extend(ended.then(|| StorageKey::schedule_entry(now, id)));
            let events = &events[..if ended { 2 } else { 1 }];
            (events.to_vec(), Commit { schedule, ..Commit::default() })
        };
        let changed = if let Some(further) = link.further {
            let further = self.change_link(further.link_id, |mut further| {
                let ended = further.update(&link.transfer, change, now)?;
                let (events, with) = commit(ended, EventKind::LinkExhausted);
                let with = scope.transfer_commit(id, now, result, &events, with);
                Ok(Swap::write(further.clone(), with, further))
            });
            ResolvedLink { further: Some(further.await?), transfer: link.transfer }
        } else {
            let transfer = self.change(id, |mut transfer| {
                let before = transfer.state.status();
                let ended = transfer.update_own_link(change, now)?;
                let ends_transfer = matches!(transfer.state, State::Exhausted { .. });
                let end = if ends_transfer { EventKind::TransferExhausted } else { EventKind::LinkExhausted };
                let (events, mut with) = commit(ended, end);
                if expires_at.is_some() {
                    transfer.notifications.is_reminded = false;
                    with.schedule.extend(transfer.reminder_entry(transfer.own_link.expires_at));
                }
                if ends_transfer {
                    transfer.notify(&mut with, &self.0.ids, now, &[NotificationKind::TransferExhausted]);
                }
                with.counter_delta = ends_transfer.then(|| status_change(now, before, transfer.state.status()));
                let with = scope.transfer_commit(id, now, result, &events, with);
                Ok(Swap::write(transfer.clone(), with, transfer))
            });
            transfer.await?.into()
        };
        let changed = if changed.record().limit_history.ungathered { self.gather(changed).await? } else { changed };
        Ok(self.end_after_change(changed).await)
    }

    /// Closes a link, in any state; idempotent. Clients with a grant lose it too.
    ///
    /// A closed last link ends the transfer.
    ///
    /// # Errors
    /// As [`Transfers::update_link`], except [`Error::LinkClosed`].
    pub async fn revoke_link(&self, scope: &RequestScope, link: ResolvedLink) -> Result<ResolvedLink, Error> {
        let (id, now) = (link.transfer.transfer_id, self.now());
        let revoked = [NotificationKind::LinkRevoked];
        let commit = || Commit { schedule: vec![StorageKey::schedule_entry(now, id)], ..Commit::with_reserve() };
        let recorded = |with| scope.transfer_commit(id, now, ChangeResult::Done, &[EventKind::LinkRevoked], with);
        let changed = if let Some(further) = link.further {
            let further = self.change_link(further.link_id, |mut further| {
                if !further.link.close(now) {
                    return Ok(Swap::Keep(further));
                }
                let mut with = commit();
                link.transfer.clone().notify_of_link(&mut with, &self.0.ids, now, &revoked, &further);
                Ok(Swap::write(further.clone(), recorded(with), further))
            });
            ResolvedLink { further: Some(further.await?), transfer: link.transfer }
        } else {
            let transfer = self.change(id, |mut transfer| {
                if !transfer.close_own_link(now) {
                    return Ok(Swap::Keep(transfer));
                }
                let mut with = commit();
                transfer.notify(&mut with, &self.0.ids, now, &revoked);
                Ok(Swap::write(transfer.clone(), recorded(with), transfer))
            });
            transfer.await?.into()
        };
        Ok(self.end_after_change(changed).await)
    }

    /// Ends the transfer of a changed link, and removes its payload, if that was its last link.
    ///
    /// If that fails, the sweeper does it: its entry came with the change.
    async fn end_after_change(&self, link: ResolvedLink) -> ResolvedLink {
        if link.at(self.now()).status().is_usable() {
            return link;
        }
        match self.end_transfer_if_over(link.transfer.transfer_id).await {
            Ok(transfer) => ResolvedLink { transfer, ..link },
            Err(error) => {
                tracing::warn!(error = %chain(&error), "cannot end a transfer with its last link, will retry");
                link
            }
        }
    }
}
