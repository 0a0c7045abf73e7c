//! Creation of a further link.

use super::{MAX_LINKS, Transfers, check_limit, lifetime};
use crate::domain::audit::{ChangeResult, EventKind, RequestScope};
use crate::domain::error::Error;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::limits::DEFAULT_LIFETIME;
use crate::domain::store::{Commit, StorageKey, StoreError, Swap, create, read};
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::{FurtherLink, LinkRecord, ResolvedLink, Transfer};
use crate::domain::version::V1;
use crate::domain::wire::CreateLink;

impl Transfers {
    /// Creates a further link, or returns that of an earlier request with the same body.
    ///
    /// The transfer's record lists the link before the link's object is created: an id without an object is no link, and
    /// an object without an entry would never be removed.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`]; [`Error::TransferExpired`], [`Error::TransferExhausted`], [`Error::TransferDeleted`] if
    /// the transfer has ended; [`Error::LinkMismatch`] if the id is in use by another link or transfer;
    /// [`Error::TooManyLinks`].
    pub async fn create_link(
        &self,
        scope: &RequestScope,
        transfer: Transfer,
        request: &CreateLink,
    ) -> Result<ResolvedLink, Error> {
        let (id, link_id, now) = (transfer.transfer_id, request.link_id, self.now());
        let link = new_link(id, request, now)?;
        scope.set_link(link_id);
        transfer.check_can_have_links(now)?;
        if read::<Transfer>(self.store(), &StorageKey::transfer(link_id.as_transfer())).await?.is_some() {
            return Err(Error::LinkMismatch);
        }
        let transfer = self.enter_link(id, link_id, now).await?;
        let at_end = StorageKey::schedule_entry(link.link.expires_at, id);
        let schedule = transfer.reminder_entry(link.link.expires_at).into_iter().chain([at_end]).collect();
        let with = Commit { schedule, ..Commit::default() };
        let with = scope.transfer_commit(id, now, ChangeResult::Created, &[EventKind::LinkCreated], with);
        match create(self.store(), StorageKey::link(link_id), &link, with).await {
            Ok(()) => Ok(ResolvedLink { transfer, further: Some(link) }),
            Err(StoreError::Conflict) => self.link_created_before(transfer, &link).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Enters the id of a new link in the transfer's record, unless it is there.
    async fn enter_link(&self, id: TransferId, link_id: LinkId, now: Timestamp) -> Result<Transfer, Error> {
        self.change(id, |mut transfer| {
            transfer.check_can_have_links(now)?;
            if transfer.links.contains(&link_id) {
                return Ok(Swap::Keep(transfer));
            }
            if transfer.links.len() >= MAX_LINKS {
                return Err(Error::TooManyLinks);
            }
            transfer.links.push(link_id);
            Ok(Swap::write(transfer.clone(), Commit::default(), transfer))
        })
        .await
    }

    /// Returns the existing link if it is that of an earlier request with the same body.
    async fn link_created_before(&self, transfer: Transfer, link: &FurtherLink) -> Result<ResolvedLink, Error> {
        let (id, link_id) = (transfer.transfer_id, link.link_id);
        let found = self.read_link(link_id).await?.ok_or(StoreError::Conflict)?;
        if found.transfer_id != id {
            // The link of another transfer: this transfer must not list it.
            self.change(id, |mut transfer| {
                transfer.links.retain(|listed| *listed != link_id);
                Ok(Swap::write(transfer, Commit::default(), ()))
            })
            .await?;
            return Err(Error::LinkMismatch);
        }
        if is_same_request(&found, link) {
            return Ok(ResolvedLink { transfer, further: Some(found) });
        }
        // The end of the transfer closes ids without a link first, so it may have to be completed.
        self.end_transfer_if_over(id).await?.check_can_have_links(self.now())?;
        Err(Error::LinkMismatch)
    }
}

/// Returns whether two links are of the same request, apart from its time and from later changes.
fn is_same_request(found: &FurtherLink, link: &FurtherLink) -> bool {
    let proof = |of: &FurtherLink| (of.link.access_sha256, of.link.access_from_passphrase);
    (&found.wrapped_key, &found.label, proof(found)) == (&link.wrapped_key, &link.label, proof(link))
}

/// Validates a request, and returns its link.
fn new_link(transfer_id: TransferId, request: &CreateLink, now: Timestamp) -> Result<FurtherLink, Error> {
    let lifetime = request.expires_in_s.map_or(Ok(DEFAULT_LIFETIME), lifetime)?;
    check_limit(request.max_downloads)?;
    let CreateLink { max_downloads, access_sha256, access_from_passphrase, .. } = *request;
    Ok(FurtherLink {
        v: V1,
        link_id: request.link_id,
        transfer_id,
        created_at: now,
        wrapped_key: request.wrapped_key.clone(),
        label: request.label.clone(),
        link: LinkRecord::new(now.plus(lifetime), max_downloads, Some(access_sha256), access_from_passphrase),
    })
}
