//! Extractor for the id in a path.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use crate::domain::error::Error;
use crate::domain::id::LinkId;
use crate::server::api::error::ApiError;

/// The first id parameter of a path, parsed.
pub(crate) struct Id<T>(pub(crate) T);

impl<S, T> FromRequestParts<S> for Id<T>
where
    S: Send + Sync,
    T: FromStr,
    T::Err: Display,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        nth_id(parts, state, 0).await.map(Self)
    }
}

/// The second id parameter of a path, a link's, parsed.
pub(crate) struct LinkInPath(pub(crate) LinkId);

impl<S: Send + Sync> FromRequestParts<S> for LinkInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        nth_id(parts, state, 1).await.map(Self)
    }
}

async fn nth_id<S, T>(parts: &mut Parts, state: &S, index: usize) -> Result<T, ApiError>
where
    S: Send + Sync,
    T: FromStr,
    T::Err: Display,
{
    let params = RawPathParams::from_request_parts(parts, state).await;
    let params = params.map_err(|error| Error::InvalidId(error.body_text()))?;
    let (name, text) =
        params.iter().nth(index).ok_or_else(|| Error::Internal("the route has no such id parameter".into()))?;
    // Rejects percent-encoded ids: the request scope takes the raw path, so the audit trail of the transfer would
    // miss a rejected request.
    if !parts.uri.path().split('/').any(|segment| segment == text) {
        return Err(Error::InvalidId(format!("{name}: percent-encoding is not allowed in an id")).into());
    }
    Ok(text.parse().map_err(|error| Error::InvalidId(format!("{name}: {error}")))?)
}
