//! Extractor for the request scope.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::domain::audit::RequestScope;
use crate::domain::error::Error;
use crate::server::api::error::ApiError;

/// The request scope, opened by the middleware.
#[derive(Clone)]
pub(crate) struct Scope(pub(crate) Arc<RequestScope>);

impl Scope {
    pub(super) fn of(parts: &Parts) -> Result<Self, ApiError> {
        let scope = parts.extensions.get::<Arc<RequestScope>>().cloned();
        scope.map(Self).ok_or_else(|| Error::Internal("the route has no audit middleware".into()).into())
    }
}

impl std::ops::Deref for Scope {
    type Target = RequestScope;

    fn deref(&self) -> &RequestScope {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Scope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(parts)
    }
}
