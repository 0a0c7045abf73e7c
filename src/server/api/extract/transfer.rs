//! Extractors for sender tokens, and for the transfer in a path with its access check.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::{Id, Proofs, Scope};
use crate::domain::error::Error;
use crate::domain::id::{LinkId, TokenId, TransferId};
use crate::domain::token::Token;
use crate::domain::transfer::{ResolvedLink, Transfer};
use crate::server::api::error::ApiError;
use crate::server::net::rate_limit::{RateLimiter, UncountedPiece};
use crate::server::state::AppState;

/// The header that may carry a sender token instead of `Authorization`.
const TOKEN: &str = "x-sgsend-token";

/// The valid sender token of a request. Counts against the token's rate limit, unless the request is a piece.
pub(crate) struct Sender(pub(crate) Token);

impl FromRequestParts<AppState> for Sender {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let scope = Scope::of(parts)?;
        let text = token_text(&parts.headers)?.ok_or(Error::TokenMissing)?;
        let token = app.tokens.authenticate(&scope, text).await?;
        let is_counted = parts.extensions.get::<UncountedPiece>().is_none();
        if let Some(limiter) = parts.extensions.get::<Arc<RateLimiter>>().filter(|_| is_counted) {
            limiter.count_token(token.token_id)?;
        }
        Ok(Self(token))
    }
}

/// Returns the sender token from `Authorization: Bearer`, else from `x-sgsend-token`.
///
/// The second header leaves `Authorization` to a proxy. A header value that is not visible ASCII is an invalid token.
fn token_text(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let text = |name| headers.get(name).map(|value| value.to_str().map_err(|_| Error::TokenInvalid)).transpose();
    let authorization = text(AUTHORIZATION)?;
    let bearer = authorization.and_then(|text| text.split_once(' ')).filter(|(scheme, _)| is_bearer(scheme));
    match (bearer, text(HeaderName::from_static(TOKEN))?) {
        (Some((_, token)), _) => Ok(Some(token.trim())),
        (None, Some(token)) => Ok(Some(token)),
        (None, None) if authorization.is_some() => Err(Error::TokenInvalid),
        (None, None) => Ok(None),
    }
}

fn is_bearer(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("bearer")
}

/// Extractor that requires the token id in the path to exist.
pub(crate) struct KnownToken;

impl FromRequestParts<AppState> for KnownToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let Id(id) = Id::<TokenId>::from_request_parts(parts, app).await?;
        app.tokens.find(id).await?;
        Ok(Self)
    }
}

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
        find_transfer(parts, app, |transfer| check_owner(transfer, &token)).await.map(Self)
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
            Some(token) => check_owner(&link.transfer, token)?,
            None if link.further.is_some() => {
                app.transfers.check_proof(&*Scope::of(parts)?, &link, access.as_ref())?;
            }
            None => {}
        }
        Ok(Self { link, by_sender: token.is_some() })
    }
}

fn check_owner(transfer: &Transfer, token: &Token) -> Result<(), Error> {
    if transfer.token_id == token.token_id { Ok(()) } else { Err(Error::NotYourTransfer) }
}
