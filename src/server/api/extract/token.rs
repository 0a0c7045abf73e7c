//! Extractors for sender tokens and requests.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::{Id, Scope};
use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::token::{AuthenticatedToken, Token};
use crate::server::api::error::ApiError;
use crate::server::net::rate_limit::{RateLimiter, UncountedPiece};
use crate::server::state::AppState;

/// The header that may carry a sender token instead of `Authorization`.
const TOKEN: &str = "x-sgsend-token";

/// The valid token of a sender or of a request. Counts against the token's rate limit, unless the request is a piece.
pub(crate) struct Uploader(pub(crate) AuthenticatedToken);

impl FromRequestParts<AppState> for Uploader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let scope = Scope::of(parts)?;
        let text = token_text(&parts.headers)?.ok_or(Error::TokenMissing)?;
        let authenticated = app.tokens.authenticate(&scope, text).await?;
        let is_counted = parts.extensions.get::<UncountedPiece>().is_none();
        if let Some(limiter) = parts.extensions.get::<Arc<RateLimiter>>().filter(|_| is_counted) {
            limiter.count_token(authenticated.token.token_id)?;
        }
        Ok(Self(authenticated))
    }
}

/// The valid sender token of a request, which must not be that of a guest.
pub(crate) struct Sender(pub(crate) Token);

impl FromRequestParts<AppState> for Sender {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let Uploader(authenticated) = Uploader::from_request_parts(parts, app).await?;
        Ok(Self(authenticated.sender()?))
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
