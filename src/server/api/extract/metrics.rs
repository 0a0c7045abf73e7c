//! Authentication of monitoring systems by the metrics key.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{Admin, Scope};
use crate::domain::audit::ServiceName;
use crate::domain::error::Error;
use crate::domain::limits::failed_attempts::Attempt;
use crate::server::api::error::ApiError;
use crate::server::metrics_key::bearer_attempt;
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
        let attempt = bearer_attempt(&parts.headers, app.metrics_key.as_ref());
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
