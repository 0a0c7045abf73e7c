//! `/auth/…`: from the admin key to a session in a browser.

use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
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
use crate::server::Encrypted;
use crate::server::admin_key::SESSION;
use crate::server::app::AppState;
use crate::server::error::Refusal;
use crate::server::extract::{Json, Scope, origin_of};
use crate::server::html::{Html, page};

const FORM: &str = "\
<h1>Admin session</h1>\n\
<form id=\"session\">\n\
<p><label for=\"key\">Admin key</label><br>\n\
<input id=\"key\" type=\"password\" autocomplete=\"off\" required autofocus></p>\n\
<p><button>Open a session</button></p>\n\
<p id=\"outcome\" role=\"status\"></p>\n\
</form>\n\
<noscript><p>This form needs JavaScript. Scripts send the key in a header instead.</p></noscript>\n\
<script src=\"set-cookie-form.js\"></script>\n";

const SCRIPT: &str = include_str!("set-cookie-form.js");

/// The key to open a session with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetCookie {
    /// The admin key.
    #[schema(value_type = String)]
    cookie_value: Zeroizing<String>,
}

/// A session that was opened.
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

/// The form's script.
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
    let (client, now) = (scope.asked().client_key, app.now());
    let key = app.admin_key.as_ref().ok_or(Error::AdminKeyInvalid)?;
    let judge = || if key.is(&shown.cookie_value) { Shown::Right } else { Shown::Wrong };
    if app.key_attempts.judge(client, now, judge)? != Shown::Right {
        return Err(Error::AdminKeyInvalid.into());
    }
    scope.note_admin();
    let secure = encrypted || origin.scheme() == "https";
    let (prefix, attribute) = if secure { ("__Host-", "; Secure") } else { ("", "") };
    let cookie = format!(
        "{prefix}{}={}; Max-Age={}; Path=/; HttpOnly; SameSite=Strict{attribute}",
        app.auth_name,
        key.new_session(now),
        SESSION.as_secs(),
    );
    let cookie = HeaderValue::from_str(&cookie).expect("a header's name, digits and hex are a header value");
    Ok(([(SET_COOKIE, cookie)], Answer(Session { expires_at: now.plus(SESSION) })).into_response())
}
