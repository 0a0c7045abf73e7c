//! `/auth/…`: exchanges the admin key for a browser session, and ends sessions.

use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Extension, Json as JsonResponse};
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::domain::error::Error;
use crate::domain::limits::failed_attempts::Attempt;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::Empty;
use crate::server::admin_key::SESSION_LIFETIME;
use crate::server::api::error::ApiError;
use crate::server::api::extract::{Admin, Json, Scope, origin_of};
use crate::server::net::connection_info::IsTls;
use crate::server::state::AppState;
use crate::server::web::WebPage;

const SCRIPT: &str = include_str!("set-cookie-form.js");

/// The admin key, to open a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetCookie {
    /// The admin key.
    #[schema(value_type = String)]
    cookie_value: Zeroizing<String>,
}

/// The state of a session after it was opened or ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    /// The expiry of the session.
    expires_at: Timestamp,
}

/// Extractor that requires the `Origin` of this service, and holds it.
pub(super) struct SameOrigin(Url);

impl FromRequestParts<AppState> for SameOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        Ok(Self(origin_of(parts, app.admin_url.as_ref())?))
    }
}

/// Returns a form for the admin key.
#[utoipa::path(
    get, operation_id = "show_session_form", path = "/auth/set-cookie-form", tag = "session",
    responses((status = 200, body = String, content_type = "text/html"))
)]
pub(super) async fn form(State(app): State<AppState>, headers: HeaderMap) -> Response {
    WebPage::SignIn.response(&app, &headers)
}

/// Returns the form's script, which opens a session and redirects to the admin page.
#[utoipa::path(
    get, operation_id = "get_session_script", path = "/auth/set-cookie-form.js", tag = "session",
    responses((status = 200, body = String, content_type = "text/javascript"))
)]
pub(super) async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response()
}

/// Checks the admin key and opens a session of 12 hours.
///
/// The session cookie holds an expiry and an HMAC, never the key.
#[utoipa::path(
    post, operation_id = "open_session", path = "/auth/set-auth-cookie", tag = "session",
    request_body = SetCookie,
    responses((status = 200, body = Session))
)]
pub(super) async fn set_cookie(
    State(app): State<AppState>,
    scope: Scope,
    SameOrigin(origin): SameOrigin,
    Extension(IsTls(is_tls)): Extension<IsTls>,
    Json(input): Json<SetCookie>,
) -> Result<Response, ApiError> {
    let (network, now) = (scope.request().network_key, app.now());
    let key = app.admin_key.as_ref().ok_or(Error::AdminKeyInvalid)?;
    let attempt = if key.matches(&input.cookie_value) { Attempt::Correct } else { Attempt::Wrong };
    app.check_admin_attempt(network, now, attempt)?;
    scope.set_admin();
    let cookie = Cookie { name: app.auth_name.as_str(), secure: is_secure(is_tls, &origin) };
    let set = cookie.set(&key.new_session(now), SESSION_LIFETIME);
    Ok(([(SET_COOKIE, set)], JsonResponse(Session { expires_at: now.plus(SESSION_LIFETIME) })).into_response())
}

/// Ends the session of this browser by deleting its cookie.
///
/// A copied cookie stays valid until its expiry.
#[utoipa::path(
    post, operation_id = "end_session", path = "/auth/end-session", tag = "session",
    request_body = Empty,
    responses((status = 200, body = Session)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn end(
    State(app): State<AppState>,
    _: Admin,
    SameOrigin(origin): SameOrigin,
    Extension(IsTls(is_tls)): Extension<IsTls>,
    Json(Empty {}): Json<Empty>,
) -> Response {
    let (name, secure) = (app.auth_name.as_str(), is_secure(is_tls, &origin));
    // Over TLS, also deletes the cookie of a session opened before TLS was configured, which would stay valid.
    let cookies = [true, false].into_iter().filter(|secure_cookie| secure || !secure_cookie);
    let cleared = cookies.map(|secure| (SET_COOKIE, Cookie { name, secure }.set("", Duration::ZERO)));
    (AppendHeaders(cleared), JsonResponse(Session { expires_at: app.now() })).into_response()
}

/// Returns whether the browser reaches this service over TLS, possibly terminated by a proxy.
fn is_secure(is_tls: bool, origin: &Url) -> bool {
    is_tls || origin.scheme() == "https"
}

/// The name and attributes of a session cookie.
struct Cookie<'a> {
    name: &'a str,
    secure: bool,
}

impl Cookie<'_> {
    /// Returns the `Set-Cookie` header that stores `value` for `max_age`; zero deletes the cookie.
    fn set(&self, value: &str, max_age: Duration) -> HeaderValue {
        let (prefix, attribute) = if self.secure { ("__Host-", "; Secure") } else { ("", "") };
        let (name, seconds) = (self.name, max_age.as_secs());
        let cookie = format!("{prefix}{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict{attribute}");
        HeaderValue::from_str(&cookie).expect("a header name, digits and hex are a valid header value")
    }
}
