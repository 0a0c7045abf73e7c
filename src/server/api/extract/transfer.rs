//! Extractors for the transfer or link in a path, with their access checks.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{GuestHeader, Id, Proofs, Scope, Sender, Uploader};
use crate::domain::error::Error;
use crate::domain::id::{LinkId, TransferId};
use crate::domain::token::{AuthenticatedToken, Token};
use crate::domain::transfer::{ResolvedLink, Transfer};
use crate::server::api::error::ApiError;
use crate::server::state::AppState;

/// The link in the path, without a check of the sender. A transfer's own link by the id of the transfer, or a further one.
pub(crate) struct AnyLink(pub(crate) ResolvedLink);

impl FromRequestParts<AppState> for AnyLink {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let Id(id) = Id::<LinkId>::from_request_parts(parts, app).await?;
        Ok(Self(app.transfers.find_link(&*Scope::of(parts)?, id).await?))
    }
}

/// The transfer in the path, without a check of the sender. The id of a further link is an error that names its transfer:
/// the caller has authenticated an admin.
pub(crate) struct AnyTransfer(pub(crate) Transfer);

impl FromRequestParts<AppState> for AnyTransfer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        find_transfer(parts, app, |_| Ok(())).await.map(Self)
    }
}

/// The transfer in the path, created with the sender token of the request.
///
/// The id of a further link is an error, which names the transfer to its sender only.
pub(crate) struct OwnedTransfer(pub(crate) Transfer);

impl FromRequestParts<AppState> for OwnedTransfer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        Id::<TransferId>::from_request_parts(parts, app).await?;
        let Sender(token) = Sender::from_request_parts(parts, app).await?;
        find_transfer(parts, app, |transfer| transfer.check_owner(token.token_id)).await.map(Self)
    }
}

/// The transfer in the path, for its upload.
///
/// Needs the creating token and, for an upload for a request, the guest proof.
pub(crate) struct UploadedTransfer {
    pub(crate) transfer: Transfer,
    /// Token of the transfer's owner.
    pub(crate) owner: Token,
}

impl FromRequestParts<AppState> for UploadedTransfer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        Id::<TransferId>::from_request_parts(parts, app).await?;
        let Uploader(AuthenticatedToken { token, owner }) = Uploader::from_request_parts(parts, app).await?;
        let GuestHeader(proof) = GuestHeader::from_request_parts(parts, app).await?;
        let check = |transfer: &Transfer| transfer.check_uploader(token.token_id, proof.as_ref());
        let transfer = find_transfer(parts, app, check).await?;
        Ok(Self { transfer, owner: owner.unwrap_or(token) })
    }
}

/// The transfer in the path, for its deletion by its owner, or by the guest who uploaded it.
pub(crate) struct DeletableTransfer {
    pub(crate) transfer: Transfer,
    pub(crate) by_guest: bool,
}

impl FromRequestParts<AppState> for DeletableTransfer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        Id::<TransferId>::from_request_parts(parts, app).await?;
        let Uploader(AuthenticatedToken { token, owner }) = Uploader::from_request_parts(parts, app).await?;
        let GuestHeader(proof) = GuestHeader::from_request_parts(parts, app).await?;
        let (id, by_guest) = (token.token_id, owner.is_some());
        let check = |transfer: &Transfer| {
            if by_guest { transfer.check_uploader(id, proof.as_ref()) } else { transfer.check_owner(id) }
        };
        Ok(Self { transfer: find_transfer(parts, app, check).await?, by_guest })
    }
}

/// Finds the transfer in the path, and checks the access of the caller.
async fn find_transfer(
    parts: &mut Parts,
    app: &AppState,
    check: impl Fn(&Transfer) -> Result<(), Error>,
) -> Result<Transfer, ApiError> {
    let Id(id) = Id::<TransferId>::from_request_parts(parts, app).await?;
    match app.transfers.find(&*Scope::of(parts)?, id).await {
        Ok(transfer) => {
            check(&transfer)?;
            Ok(transfer)
        }
        Err(Error::TransferNotFound) => {
            let transfer = app.transfers.transfer_of_link(id.into()).await?.ok_or(Error::TransferNotFound)?;
            check(&transfer)?;
            Err(Error::IsALink { transfer_id: transfer.transfer_id }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The link in the path, for reading its audit trail.
///
/// The sender reads all details; records for other readers omit the clients. A token is optional, but a wrong token is an
/// error, never a fallback to the reduced view. Without the token, the records of a further link need its access proof.
pub(crate) struct VisibleLink {
    pub(crate) link: ResolvedLink,
    pub(crate) by_sender: bool,
}

impl FromRequestParts<AppState> for VisibleLink {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        Id::<LinkId>::from_request_parts(parts, app).await?;
        // A proof without its form is an error, also where none is needed.
        let Proofs { access, .. } = Proofs::from_request_parts(parts, app).await?;
        let token = match Sender::from_request_parts(parts, app).await {
            Ok(Sender(token)) => Some(token),
            Err(error) if error.code() == Error::TokenMissing.code() => None,
            Err(error) => return Err(error),
        };
        let AnyLink(link) = AnyLink::from_request_parts(parts, app).await?;
        match &token {
            Some(token) => link.transfer.check_owner(token.token_id)?,
            None if link.further.is_some() => {
                app.transfers.check_proof(&*Scope::of(parts)?, &link, access.as_ref())?;
            }
            None => {}
        }
        Ok(Self { link, by_sender: token.is_some() })
    }
}
