//! Deletion of several transfers, in requests of bounded work.

use futures_util::{StreamExt, stream};

use super::Transfers;
use super::list_transfers::cursor;
use crate::domain::audit::{ActionName, ChangeResult, RequestScope};
use crate::domain::error::Error;
use crate::domain::id::{TokenId, TransferId};
use crate::domain::store::IndexOrder;
use crate::domain::transfer::{DeletionCause, Status};
use crate::domain::wire::{DeleteTransfers, DeletedTransfer, DeletedTransfers};

/// Maximum number of transfers deleted by one request.
const MAX_DELETIONS: usize = 100;
/// Maximum number of transfers of a token that one request reads to find those to delete.
const MAX_READ: usize = 1_000;
/// Number of transfers deleted at once.
const CONCURRENCY: usize = 8;

impl Transfers {
    /// Deletes several transfers, each as [`Transfers::delete`] does, with audit records of its own.
    ///
    /// A transfer that cannot be deleted has its error in the result, and does not stop the others. Idempotent: a request
    /// that was interrupted is repeated.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for other than 1 to 100 ids or one token, or an invalid `after`.
    pub async fn delete_many(&self, scope: &RequestScope, request: DeleteTransfers) -> Result<DeletedTransfers, Error> {
        let reject = |text: String| Err(Error::InvalidRequest(text));
        match request {
            DeleteTransfers { transfer_ids: Some(ids), token_id: None, after: None } => {
                if !(1..=MAX_DELETIONS).contains(&ids.len()) {
                    return reject(format!("transfer_ids must have 1 to {MAX_DELETIONS} items"));
                }
                Ok(DeletedTransfers { items: self.delete_each(scope, ids).await, next: None })
            }
            DeleteTransfers { transfer_ids: None, token_id: Some(token), after } => {
                scope.set_token(token);
                let (ids, next) = self.deletable_of(token, after.as_deref()).await?;
                Ok(DeletedTransfers { items: self.delete_each(scope, ids).await, next })
            }
            DeleteTransfers { transfer_ids: Some(_), .. } => {
                reject("transfer_ids excludes token_id and after".to_owned())
            }
            DeleteTransfers { transfer_ids: None, token_id: None, .. } => {
                reject("transfer_ids or token_id is required".to_owned())
            }
        }
    }

    /// Returns the next transfers of a token that can be used or take space, and where to continue.
    async fn deletable_of(
        &self,
        token: TokenId,
        after: Option<&str>,
    ) -> Result<(Vec<TransferId>, Option<String>), Error> {
        let index = IndexOrder::OfToken(token);
        let after = after.map(|after| cursor(after, 1)).transpose()?.map(|cursor| index.key(&cursor));
        let listed = self.read_indexed(index, after.as_ref(), MAX_READ).await?;
        let (mut ids, mut entries) = (Vec::new(), listed.items.into_iter());
        let mut last = None;
        for (cursor, item) in entries.by_ref() {
            let is_live = |status| matches!(status, Status::Pending | Status::Completed);
            ids.extend(item.filter(|item| is_live(item.status) || item.payload_stored).map(|item| item.transfer_id));
            last = Some(cursor);
            if ids.len() == MAX_DELETIONS {
                break;
            }
        }
        let has_more = entries.next().is_some() || listed.next.is_some();
        Ok((ids, last.filter(|_| has_more).map(|cursor| cursor.to_string())))
    }

    async fn delete_each(&self, scope: &RequestScope, ids: Vec<TransferId>) -> Vec<DeletedTransfer> {
        let delete = async |id| {
            let part = scope.part(ActionName::TransferDelete);
            match self.delete_part(&part, id).await {
                Ok(status) => DeletedTransfer { transfer_id: id, status: Some(status), code: None },
                Err(error) => DeletedTransfer { transfer_id: id, status: None, code: Some(error.code()) },
            }
        };
        stream::iter(ids).map(delete).buffered(CONCURRENCY).collect().await
    }

    /// Deletes one transfer. Its records say what the request responds, which a failure here does not change.
    async fn delete_part(&self, part: &RequestScope, id: TransferId) -> Result<Status, Error> {
        match self.find(part, id).await {
            // Of a further link, the operator must name the transfer, or revoke the link.
            Err(Error::TransferNotFound) => {
                let transfer = self.transfer_of_link(id.into()).await?.ok_or(Error::TransferNotFound)?;
                return Err(Error::IsALink { transfer_id: transfer.transfer_id });
            }
            found => found?,
        };
        let cause = DeletionCause::Requested;
        let deleted = self.mark_deleted_and_remove(part, id, cause, Some(ChangeResult::Done)).await?;
        Ok(deleted.state.status())
    }
}
