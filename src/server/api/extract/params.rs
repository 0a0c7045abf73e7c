//! Extractor for query parameters.

use axum::extract::{FromRequestParts, Query};
use http::Uri;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::domain::error::Error;
use crate::server::api::error::ApiError;

/// The parsed query parameters of a request.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self::parse(&parts.uri)?)
    }
}

impl<T: DeserializeOwned> Params<T> {
    /// Parses the query of `uri`.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] with the reason.
    pub(crate) fn parse(uri: &Uri) -> Result<Self, Error> {
        let query = Query::<T>::try_from_uri(uri);
        let Query(params) = query.map_err(|error| {
            Error::InvalidRequest(format!(
                "query: {}",
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
            ))
        })?;
        Ok(Self(params))
    }
}
