//! `/auth/…`: from the admin key to a session in a browser.

use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Extension, Json as Answer};
use http::HeaderValue;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::request::Parts;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::domain::attempts::Shown;
use crate::domain::error::Error;
use crate::domain::timestamp::Timestamp;
use crate::domain::wire::Empty;
use crate::server::Encrypted;
use crate::server::admin_key::SESSION;
use crate::server::app::AppState;
use crate::server::error::Refusal;
use crate::server::extract::{Admin, Json, Scope, origin_of};
use crate::server::html::{Html, page};

/// The form of the admin page, for who comes here first: one script opens sessions on both.
const FORM: &str = "\
<h1>Admin session</h1>\n\
<p id=\"outcome\" role=\"status\"></p>\n\
<p id=\"error\" role=\"alert\"></p>\n\
<form id=\"session\" class=\"panel\">\n\
<label for=\"key\">Admin key</label>\n\
<input id=\"key\" type=\"password\" autocomplete=\"off\" required autofocus>\n\
<button class=\"main\">Open a session</button>\n\
</form>\n\
<noscript><p>This form needs JavaScript. Scripts send the key in a header instead.</p></noscript>\n\
<script type=\"module\" src=\"set-cookie-form.js\"></script>\n";

const SCRIPT: &str = include_str!("set-cookie-form.js");

/// The key to open a session with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetCookie {
    /// The admin key.
    #[schema(value_type = String)]
    cookie_value: Zeroizing<String>,
}

/// A session that was opened, or ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    /// When it ends.
    expires_at: Timestamp,
}

/// Proof that a request came from a page of this service.
pub(super) struct SameOrigin(Url);

impl<S: Sync> FromRequestParts<S> for SameOrigin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Ok(Self(origin_of(parts)?))
    }
}

/// A form that asks for the admin key.
#[utoipa::path(
    get, path = "/auth/set-cookie-form", tag = "session",
    responses((status = 200, body = String, content_type = "text/html"))
)]
pub(super) async fn form() -> Response {
    let mut html = Html::default();
    html.literal(FORM);
    page("Admin session", "../", &html)
}

/// The form's script: it opens a session, and leads to the admin page.
#[utoipa::path(
    get, path = "/auth/set-cookie-form.js", tag = "session",
    responses((status = 200, body = String, content_type = "text/javascript"))
)]
pub(super) async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response()
}

/// Checks the admin key and opens a session of twelve hours: a cookie that holds an expiry and an HMAC, never the key.
#[utoipa::path(
    post, path = "/auth/set-auth-cookie", tag = "session",
    request_body = SetCookie,
    responses((status = 200, body = Session))
)]
pub(super) async fn set_cookie(
    State(app): State<AppState>,
    scope: Scope,
    SameOrigin(origin): SameOrigin,
    Extension(Encrypted(encrypted)): Extension<Encrypted>,
    Json(shown): Json<SetCookie>,
) -> Result<Response, Refusal> {
    let (site, now) = (scope.asked().site_key, app.now());
    let key = app.admin_key.as_ref().ok_or(Error::AdminKeyInvalid)?;
    let judge = || if key.is(&shown.cookie_value) { Shown::Right } else { Shown::Wrong };
    if app.key_attempts.judge(site, now, judge)? != Shown::Right {
        return Err(Error::AdminKeyInvalid.into());
    }
    scope.note_admin();
    let cookie = Cookie { name: app.auth_name.as_str(), secure: is_secure(encrypted, &origin) };
    let set = cookie.set(&key.new_session(now), SESSION);
    Ok(([(SET_COOKIE, set)], Answer(Session { expires_at: now.plus(SESSION) })).into_response())
}

/// Ends the session of this browser: its cookie is taken back. A session that was copied before lasts its twelve hours.
#[utoipa::path(
    post, path = "/auth/end-session", tag = "session",
    request_body = Empty,
    responses((status = 200, body = Session)),
    security(("admin_key" = []), ("admin_cookie" = []))
)]
pub(super) async fn end(
    State(app): State<AppState>,
    _: Admin,
    SameOrigin(origin): SameOrigin,
    Extension(Encrypted(encrypted)): Extension<Encrypted>,
    Json(Empty {}): Json<Empty>,
) -> Response {
    let (name, secure) = (app.auth_name.as_str(), is_secure(encrypted, &origin));
    // A session from before there was TLS is shown beside the one bound to it, and would go on.
    let cookies = [true, false].into_iter().filter(|bound| secure || !bound);
    let ended = cookies.map(|secure| (SET_COOKIE, Cookie { name, secure }.set("", Duration::ZERO)));
    (AppendHeaders(ended), Answer(Session { expires_at: app.now() })).into_response()
}

/// Whether the browser reaches this service by TLS, be it a proxy's.
fn is_secure(encrypted: bool, origin: &Url) -> bool {
    encrypted || origin.scheme() == "https"
}

/// The cookie of a session.
struct Cookie<'a> {
    name: &'a str,
    secure: bool,
}

impl Cookie<'_> {
    /// The header that has a browser keep `value` for so long.
    fn set(&self, value: &str, lasts: Duration) -> HeaderValue {
        let (prefix, attribute) = if self.secure { ("__Host-", "; Secure") } else { ("", "") };
        let (name, seconds) = (self.name, lasts.as_secs());
        let cookie = format!("{prefix}{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict{attribute}");
        HeaderValue::from_str(&cookie).expect("a header's name, digits and hex are a header value")
    }
}
