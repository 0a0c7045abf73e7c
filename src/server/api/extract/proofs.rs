//! Extractors for a recipient's access proof and grant, and for a guest's proof.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::Error;
use crate::server::api::error::ApiError;

/// The header that carries an access proof.
pub(crate) const ACCESS: &str = "x-sgsend-access";
/// The header that carries a grant.
pub(crate) const GRANT: &str = "x-sgsend-grant";

/// The header that carries the guest proof, and its digest with the creation of a transfer.
pub(crate) const GUEST: &str = "x-sgsend-guest";

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

/// The guest proof of an upload for a request.
pub(crate) struct GuestHeader(pub(crate) Option<GuestProof>);

impl<S: Sync> FromRequestParts<S> for GuestHeader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(header(parts, GUEST)?))
    }
}

/// SHA-256 of the guest proof of a new transfer.
pub(crate) struct GuestDigest(pub(crate) Option<Sha256>);

impl<S: Sync> FromRequestParts<S> for GuestDigest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(header(parts, GUEST)?))
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
