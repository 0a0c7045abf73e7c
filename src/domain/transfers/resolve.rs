//! Resolution of ids in requests to links, and changes of further links.

use super::Transfers;
use crate::domain::audit::{EventKind, RequestScope, with_transfer_keys};
use crate::domain::error::Error;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::store::{Commit, StorageKey, Swap, from_json, read, swap};
use crate::domain::transfer::{FurtherLink, GrantObjects, GrantRecord, MAX_GATHERED, ResolvedLink, Transfer};

impl Transfers {
    /// Reads the link with this id and its transfer, and names both in the records of the request.
    ///
    /// # Errors
    /// [`Error::TransferNotFound`], also for a link whose transfer does not exist.
    pub async fn find_link(&self, scope: &RequestScope, id: LinkId) -> Result<ResolvedLink, Error> {
        let link = match self.find(scope, id.as_transfer()).await {
            Ok(transfer) => ResolvedLink::from(transfer),
            Err(Error::TransferNotFound) => {
                let link = self.read_link(id).await?.ok_or(Error::TransferNotFound)?;
                let transfer = self.find_of(&link).await?.ok_or(Error::TransferNotFound)?;
                scope.set_link(id);
                scope.set_existing_transfer(transfer.transfer_id);
                ResolvedLink { transfer, further: Some(link) }
            }
            Err(error) => return Err(error),
        };
        if link.record().limit_history.ungathered { self.gather(link).await } else { Ok(link) }
    }

    /// Reads a link again whose names the records of the request have already.
    ///
    /// # Errors
    /// [`Error::TransferNotFound`] if the link or its transfer no longer exists.
    pub(super) async fn reread_link(&self, link: &ResolvedLink) -> Result<ResolvedLink, Error> {
        let again = match &link.further {
            Some(further) => {
                let further = self.read_link(further.link_id).await?.ok_or(Error::TransferNotFound)?;
                let transfer = self.find_of(&further).await?.ok_or(Error::TransferNotFound)?;
                ResolvedLink { transfer, further: Some(further) }
            }
            None => self.read_transfer(link.transfer.transfer_id).await?.into(),
        };
        if again.record().limit_history.ungathered { self.gather(again).await } else { Ok(again) }
    }

    /// Returns whether a link has no download limit at present. Reads only the record with the limit.
    pub(super) async fn is_unlimited(&self, link: &ResolvedLink) -> Result<bool, Error> {
        let record = match &link.further {
            Some(further) => self.read_link(further.link_id).await?.ok_or(Error::TransferNotFound)?.link,
            None => self.read_transfer(link.transfer.transfer_id).await?.own_link,
        };
        Ok(record.max_downloads.is_none())
    }

    /// Returns the transfer of a further link by its id, for the sender. `None` if `id` is not that of a further link.
    pub async fn transfer_of_link(&self, id: LinkId) -> Result<Option<Transfer>, Error> {
        match self.read_link(id).await? {
            Some(link) => self.find_of(&link).await,
            None => Ok(None),
        }
    }

    /// Reads the transfer of a further link; `None` unless the transfer exists and lists the link.
    async fn find_of(&self, link: &FurtherLink) -> Result<Option<Transfer>, Error> {
        let found = read::<Transfer>(self.store(), &StorageKey::transfer(link.transfer_id)).await?;
        let transfer = found.map(|found| self.with_deletion(found.value));
        Ok(transfer.filter(|transfer| transfer.links.contains(&link.link_id)))
    }

    /// Reads a further link; `None` if it does not exist.
    pub(super) async fn read_link(&self, id: LinkId) -> Result<Option<FurtherLink>, Error> {
        Ok(read::<FurtherLink>(self.store(), &StorageKey::link(id)).await?.map(|found| found.value))
    }

    /// Changes a further link by compare-and-swap, under the link's lock in this process.
    pub(super) async fn change_link<'scope, A: Send>(
        &self,
        id: LinkId,
        decide: impl FnMut(FurtherLink) -> Result<Swap<'scope, FurtherLink, A>, Error> + Send,
    ) -> Result<A, Error> {
        let _lock = self.0.link_locks.lock(id).await;
        swap(self.store(), &StorageKey::link(id), || Error::LinkNotFound, decide).await
    }

    /// Moves the grants of separate objects into the record of a link that got a limit. Any server may do it.
    ///
    /// From then on, only grants in the record are good: a grant object that another server writes late is not.
    pub(super) async fn gather(&self, link: ResolvedLink) -> Result<ResolvedLink, Error> {
        let (objects, now) = (self.grant_objects(&link).await?, self.now());
        let id = link.transfer.transfer_id;
        let commit = |end: Option<EventKind>, link_id: Option<LinkId>| {
            let events: Vec<_> = end.into_iter().map(|kind| self.link_event_record(link_id, kind, now)).collect();
            Commit {
                schedule: end.map(|_| StorageKey::schedule_entry(now, id)).into_iter().collect(),
                records: with_transfer_keys(id, &events),
                ..Commit::with_reserve()
            }
        };
        if let Some(further) = link.further {
            let further = self.change_link(further.link_id, |mut further| {
                if !further.link.limit_history.ungathered {
                    return Ok(Swap::Keep(further));
                }
                let ended = further.gather(objects.clone(), now);
                let commit = commit(ended.then_some(EventKind::LinkExhausted), Some(further.link_id));
                Ok(Swap::write(further.clone(), commit, further))
            });
            return Ok(ResolvedLink { further: Some(further.await?), transfer: link.transfer });
        }
        let transfer = self.change(id, |mut transfer| {
            if !transfer.own_link.limit_history.ungathered {
                return Ok(Swap::Keep(transfer));
            }
            let before = transfer.state.status();
            let ended = transfer.gather(objects.clone(), now);
            let ends_transfer = transfer.state.status() != before;
            let end = if ends_transfer { EventKind::TransferExhausted } else { EventKind::LinkExhausted };
            let mut commit = commit(ended.then_some(end), None);
            if ends_transfer {
                commit.counter_delta = Some(super::status_change(now, before, transfer.state.status()));
            }
            Ok(Swap::write(transfer.clone(), commit, transfer))
        });
        Ok(transfer.await?.into())
    }

    /// Reads the grants of a link that was unlimited.
    async fn grant_objects(&self, link: &ResolvedLink) -> Result<GrantObjects, Error> {
        let keys = self.store().keys(&link.grants_prefix(), None, MAX_GATHERED + 1).await?;
        if keys.len() > MAX_GATHERED {
            return Ok(GrantObjects { count: keys.len(), grants: Vec::new() });
        }
        let found = self.store().get_all(&keys).await?;
        let grants = found.iter().map(|(key, value)| from_json::<GrantRecord>(key.as_str(), value));
        Ok(GrantObjects { count: keys.len(), grants: grants.collect::<Result<_, _>>()? })
    }

    /// Returns whether recipients can use a link of `transfer`, at present or once the upload is complete.
    pub(super) async fn has_usable_link(&self, transfer: &Transfer) -> Result<bool, Error> {
        let now = self.now();
        if transfer.own_link_at(now).state().is_open() {
            return Ok(true);
        }
        // The newest links end last, as a rule.
        for id in transfer.links.iter().rev() {
            let further = self.read_own_link(transfer.transfer_id, *id).await?;
            if further.is_some_and(|further| further.link.state_at(now).is_open()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads a further link that the record of transfer `of` lists. `None` if it has no object, or belongs to another.
    pub(super) async fn read_own_link(&self, of: TransferId, id: LinkId) -> Result<Option<FurtherLink>, Error> {
        Ok(self.read_link(id).await?.filter(|link| link.transfer_id == of))
    }
}
