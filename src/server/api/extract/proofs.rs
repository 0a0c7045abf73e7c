//! Extractor for a recipient's access proof and grant.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::Error;
use crate::server::api::error::ApiError;

/// The header that carries an access proof.
pub(crate) const ACCESS: &str = "x-sgsend-access";
/// The header that carries a grant.
pub(crate) const GRANT: &str = "x-sgsend-grant";

/// The access proof and the grant from the headers of a request.
pub(crate) struct Proofs {
    pub(crate) access: Option<AccessProof>,
    pub(crate) grant: Option<Grant>,
}

impl<S: Sync> FromRequestParts<S> for Proofs {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self { access: header(parts, ACCESS)?, grant: header(parts, GRANT)? })
    }
}

fn header<T>(parts: &Parts, name: &str) -> Result<Option<T>, Error>
where
    T: FromStr,
    T::Err: Display,
{
    let Some(value) = parts.headers.get(name) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    text.parse().map(Some).map_err(|error| Error::InvalidRequest(format!("{name}: {error}")))
}
