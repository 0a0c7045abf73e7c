//! Authentication of monitoring systems by the metrics key.

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::{Admin, Scope};
use crate::domain::audit::ServiceName;
use crate::domain::error::Error;
use crate::domain::limits::failed_attempts::Attempt;
use crate::server::api::error::ApiError;
use crate::server::metrics_key::MetricsKey;
use crate::server::state::AppState;

/// Extractor that authenticates a reader of metrics by the metrics key.
///
/// The admin service also accepts admins. A right key is always accepted; wrong keys count as failed attempts, together
/// with wrong admin keys.
pub(crate) struct MetricsReader;

impl FromRequestParts<AppState> for MetricsReader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let scope = Scope::of(parts)?;
        let attempt = attempt(parts, app.metrics_key.as_ref());
        if attempt == Attempt::Correct {
            return Ok(Self);
        }
        if scope.request().service == ServiceName::Admin {
            let admin = Admin::from_request_parts(parts, app).await;
            if attempt == Attempt::Missing || admin.is_ok() {
                return admin.map(|_| Self);
            }
        }
        if attempt == Attempt::Wrong {
            app.admin_key_attempts.check(scope.request().network_key, app.now(), || attempt)?;
        }
        Err(Error::MetricsKeyInvalid.into())
    }
}

/// Checks the `Authorization: Bearer` header, as Prometheus sends it.
fn attempt(parts: &Parts, key: Option<&MetricsKey>) -> Attempt {
    let Some(key) = key else { return Attempt::Missing };
    let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let bearer =
        header.and_then(|header| header.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match bearer {
        None => Attempt::Missing,
        Some((_, candidate)) if key.matches(candidate.trim()) => Attempt::Correct,
        Some(_) => Attempt::Wrong,
    }
}
