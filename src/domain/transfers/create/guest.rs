//! Operations of guests, who upload for a request.

use super::NewTransfer;
use crate::domain::audit::RequestScope;
use crate::domain::error::Error;
use crate::domain::store::StorageKey;
use crate::domain::token::Token;
use crate::domain::transfer::{Guest, Transfer};
use crate::domain::transfers::Transfers;
use crate::domain::wire::CreateTransfer;

impl Transfers {
    /// Creates the transfer of a guest for the request `token`; idempotent like [`Transfers::create`].
    ///
    /// The transfer counts in the quotas of the request and of its owner, and belongs to the owner.
    ///
    /// # Errors
    /// Errors of [`Transfers::create`]; [`Error::InvalidRequest`] for terms that a guest cannot choose.
    pub async fn create_as_guest(
        &self,
        scope: &RequestScope,
        token: &Token,
        guest: Guest<'_>,
        request: &CreateTransfer,
    ) -> Result<NewTransfer, Error> {
        let refused = [
            ("max_downloads", request.max_downloads.is_some()),
            ("own_link", !request.own_link.is_open()),
            ("notify", request.notify.is_some()),
        ];
        if let Some((member, _)) = refused.iter().find(|(_, is_set)| *is_set) {
            return Err(Error::InvalidRequest(format!("{member} cannot be set with the token of a request")));
        }
        let transfer = self.find_or_create(scope, token, Some(guest), request).await?;
        let upload = self.upload_instruction(&transfer).await?;
        Ok(NewTransfer { transfer, upload })
    }

    /// Checks that a guest may still delete an upload: the owner has neither downloaded nor shared it.
    ///
    /// A download that begins at the same time may win against this check, and then ends early.
    ///
    /// # Errors
    /// [`Error::AlreadyDownloaded`].
    pub async fn check_deletable_by_guest(&self, transfer: &Transfer) -> Result<(), Error> {
        let is_counted = transfer.own_link.download_count() > 0 || !transfer.links.is_empty();
        // Grants of an unlimited link are objects, which its count follows.
        let is_taken = is_counted || {
            let grants = StorageKey::grants(transfer.transfer_id);
            !self.store().keys(&grants, None, 1).await?.is_empty()
        };
        // A deletion is repeated whatever happened before it.
        let has_ended = transfer.state_at(self.now()).ended_at().is_some();
        if is_taken && !has_ended { Err(Error::AlreadyDownloaded) } else { Ok(()) }
    }
}
