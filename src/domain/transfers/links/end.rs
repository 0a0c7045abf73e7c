//! End of a transfer with its last link.
//!
//! A link is over only once its own object says so. The sweeper therefore ends each link by compare-and-swap, then the
//! transfer, and then removes the payload: no server can count a download in between.

use std::collections::BTreeMap;

use super::Transfers;
use crate::domain::audit::with_transfer_keys;
use crate::domain::crypto::digest::Sha256;
use crate::domain::error::Error;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::notification::NotificationKind;
use crate::domain::store::{Commit, StorageKey, StoreError, Swap, create, read};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{FurtherLink, LinkRecord, LinkState, PayloadState, State, Transfer};
use crate::domain::transfers::status_change;
use crate::domain::transfers::sweep::RETRY_AFTER;
use crate::domain::version::V1;

impl Transfers {
    /// Ends a transfer whose links are all over, and removes its payload. Returns the transfer.
    pub(super) async fn end_transfer_if_over(&self, id: TransferId) -> Result<Transfer, Error> {
        let found = read::<Transfer>(self.store(), &StorageKey::transfer(id)).await?.ok_or(Error::TransferNotFound)?;
        let mut transfer = self.with_deletion(found.value);
        self.end_with_links(&mut transfer).await?;
        if transfer.payload == PayloadState::PendingRemoval {
            transfer = self.remove_payload(&transfer, None, None, None).await?.transfer;
        }
        Ok(transfer)
    }

    /// Ends a completed transfer whose links are all over.
    ///
    /// Returns the time until which a link keeps it, or a time to try again; `None` if the transfer is not completed, or
    /// ends with its own link alone.
    pub(in crate::domain::transfers) async fn end_with_links(
        &self,
        transfer: &mut Transfer,
    ) -> Result<Option<Timestamp>, Error> {
        let now = self.now();
        if !matches!(transfer.state, State::Completed { .. }) || transfer.deadline().is_some() {
            return Ok(None);
        }
        if let Some(until) = transfer.own_link_at(now).needed_until() {
            return Ok(Some(until));
        }
        let (id, listed) = (transfer.transfer_id, transfer.links.clone());
        let mut ends = BTreeMap::new();
        // The newest links end last, as a rule: the first that is in use decides.
        for link_id in listed.iter().rev() {
            match self.end_link(transfer, *link_id).await? {
                LinkUse::Until(until) => return Ok(Some(until)),
                LinkUse::Over(state) => drop(ends.insert(state.ended_at(), state)),
                LinkUse::Missing => {}
            }
        }
        for link_id in &listed {
            if !self.close_missing(transfer, *link_id).await? {
                return Ok(Some(now.plus(RETRY_AFTER)));
            }
        }
        let own = transfer.own_link_at(now).state();
        ends.insert(own.ended_at(), own);
        let last = ends.pop_last().map_or(LinkState::Closed { at: now }, |(_, state)| state);
        *transfer = self.end_completed(id, &listed, last).await?;
        let is_over = !matches!(transfer.state, State::Completed { .. });
        Ok(if is_over { None } else { Some(now.plus(RETRY_AFTER)) })
    }

    /// Persists the end of a link if its time has come, and returns its use.
    async fn end_link(&self, transfer: &Transfer, id: LinkId) -> Result<LinkUse, Error> {
        let (now, of) = (self.now(), transfer.transfer_id);
        let Some(found) = self.read_link(id).await? else { return Ok(LinkUse::Missing) };
        if found.transfer_id != of {
            return Ok(LinkUse::Over(LinkState::Closed { at: Timestamp::from_millis(0) }));
        }
        let mut link = found;
        if link.link.state_at(now) != link.link.state {
            link = self
                .change_link(id, |mut link| {
                    let Some(event) = link.apply_expiry(now) else { return Ok(Swap::Keep(link)) };
                    let records = with_transfer_keys(of, &[self.link_event_record(Some(id), event, now)]);
                    Ok(Swap::write(link.clone(), Commit { records, ..Commit::with_reserve() }, link))
                })
                .await?;
        }
        Ok(link.at(transfer, now).needed_until().map_or(LinkUse::Over(link.link.state), LinkUse::Until))
    }

    /// Closes an id that has no object yet, so that its creation fails. Returns `false` if a link was created meanwhile.
    async fn close_missing(&self, transfer: &Transfer, id: LinkId) -> Result<bool, Error> {
        let (now, of) = (self.now(), transfer.transfer_id);
        if let Some(link) = self.read_link(id).await? {
            return Ok(link.transfer_id != of || link.at(transfer, now).needed_until().is_none());
        }
        // No proof has this digest.
        let mut link = LinkRecord::new(now, None, Some(Sha256::of(b"")), false);
        link.close(now);
        let closed = FurtherLink {
            v: V1,
            link_id: id,
            transfer_id: of,
            created_at: now,
            wrapped_key: FurtherLink::no_key(),
            label: None,
            link,
        };
        match create(self.store(), StorageKey::link(id), &closed, Commit::with_reserve()).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a completed transfer with its last link, unless its links have changed.
    async fn end_completed(&self, id: TransferId, listed: &[LinkId], last: LinkState) -> Result<Transfer, Error> {
        let now = self.now();
        self.change(id, |mut transfer| {
            let before = transfer.state.status();
            let event = if transfer.links == listed { transfer.end_with_last_link(last, now) } else { None };
            let Some(event) = event else { return Ok(Swap::Keep(transfer)) };
            let mut with = Commit {
                schedule: vec![StorageKey::schedule_entry(now, id)],
                records: with_transfer_keys(id, &[self.link_event_record(None, event, now)]),
                counter_delta: Some(status_change(now, before, transfer.state.status())),
                ..Commit::with_reserve()
            };
            let kind = match transfer.state {
                State::Exhausted { .. } => NotificationKind::TransferExhausted,
                State::Expired { .. } => NotificationKind::TransferExpired,
                State::Pending | State::Completed { .. } | State::Deleted { .. } => NotificationKind::TransferDeleted,
            };
            transfer.notify(&mut with, &self.0.ids, now, &[kind]);
            Ok(Swap::write(transfer.clone(), with, transfer))
        })
        .await
    }

    /// Removes the further links of a transfer that is being removed, with their grants.
    pub(in crate::domain::transfers) async fn remove_links(&self, transfer: &Transfer) -> Result<(), Error> {
        for id in &transfer.links {
            let Some(link) = self.read_link(*id).await? else { continue };
            if link.transfer_id == transfer.transfer_id {
                self.remove_all(&StorageKey::link_grants(*id), None).await?;
                let removals = vec![StorageKey::link(*id)];
                self.store().commit(Commit { removals, ..Commit::with_reserve() }).await?;
            }
        }
        Ok(())
    }
}

/// Use of a further link.
enum LinkUse {
    /// The link keeps the payload until then.
    Until(Timestamp),
    /// The link is over.
    Over(LinkState),
    /// The id has no object.
    Missing,
}
