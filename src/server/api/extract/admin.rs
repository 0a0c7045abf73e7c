//! Authentication of admins by key or session cookie, with the same-origin check for cookies.

use axum::extract::FromRequestParts;
use http::header::{COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};
use url::Url;

use super::Scope;
use crate::domain::base_url::BaseUrl;
use crate::domain::error::Error;
use crate::domain::limits::failed_attempts::Attempt;
use crate::domain::timestamp::Timestamp;
use crate::server::admin_key::AdminKey;
use crate::server::api::error::ApiError;
use crate::server::net::connection_info::IsTls;
use crate::server::state::AppState;

/// Maximum cookies per request that are compared with the key: scripts send one.
///
/// A higher maximum would allow several guesses of the key in one request. The number of sessions has no such limit, since
/// nobody guesses an HMAC; other services on the host of a browser may set any number of cookies of this name.
const MAX_KEY_COOKIES: usize = 2;
/// Prefix of cookies that only this host could set, over TLS.
const HOST_PREFIX: &str = "__Host-";

/// Cookie of a request with the name of the admin key's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AdminCookie<'a> {
    pub(crate) value: &'a str,
    /// Whether the name starts with `__Host-`.
    pub(crate) has_host_prefix: bool,
}

/// Extractor that authenticates an admin.
///
/// Cookies also need the service's own `Origin`, except for GET and HEAD. A right key or session is always accepted; only
/// wrong keys count as failed attempts.
pub(crate) struct Admin;

impl FromRequestParts<AppState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let scope = Scope::of(parts)?;
        let (network, now) = (scope.request().network_key, app.now());
        let key = app.admin_key.as_ref().ok_or(Error::AdminKeyInvalid)?;
        let by_header = parts.headers.get(&app.auth_name);
        let attempt = match by_header {
            Some(value) if value.to_str().is_ok_and(|value| key.matches(value)) => Attempt::Correct,
            Some(_) => Attempt::Wrong,
            None => {
                let over_tls = IsTls::of(&parts.extensions);
                by_cookie(key, &cookies_named(&parts.headers, app.auth_name.as_str()), over_tls, now)
            }
        };
        app.check_admin_attempt(network, now, attempt)?;
        scope.set_admin();
        if by_header.is_none() && !matches!(parts.method, Method::GET | Method::HEAD) {
            origin_of(parts, app.admin_url.as_ref())?;
        }
        Ok(Self)
    }
}

/// Checks the cookies of a request; over TLS, only sessions in `__Host-` cookies count.
fn by_cookie(key: &AdminKey, cookies: &[AdminCookie<'_>], over_tls: bool, now: Timestamp) -> Attempt {
    let is_session =
        |cookie: &AdminCookie<'_>| (cookie.has_host_prefix || !over_tls) && key.verify_session(cookie.value, now);
    // An expired session is not a guess at the key.
    let mut keys =
        cookies.iter().filter(|cookie| !AdminKey::has_session_form(cookie.value)).take(MAX_KEY_COOKIES).peekable();
    if cookies.iter().any(is_session) {
        Attempt::Correct
    } else if keys.peek().is_none() {
        Attempt::Missing
    } else if keys.any(|cookie| key.matches(cookie.value)) {
        Attempt::Correct
    } else {
        Attempt::Wrong
    }
}

/// Returns the cookies named `name`, with or without `__Host-`.
pub(crate) fn cookies_named<'a>(headers: &'a HeaderMap, name: &str) -> Vec<AdminCookie<'a>> {
    // Parses each cookie on its own: other services on this host may set cookies that are not UTF-8.
    let pairs = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let pairs = pairs.filter_map(|pair| str::from_utf8(pair).ok()?.trim().split_once('='));
    let cookies = pairs.filter_map(|(found, value)| {
        let has_host_prefix = found.starts_with(HOST_PREFIX);
        let is_named = found.strip_prefix(HOST_PREFIX).unwrap_or(found).eq_ignore_ascii_case(name);
        is_named.then(|| AdminCookie { value: value.trim_matches('"'), has_host_prefix })
    });
    cookies.collect()
}

/// Returns the `Origin` of a request if it is allowed. It must be that of `admin_url`, or its host and port must equal
/// those of the request.
///
/// # Errors
/// [`Error::OriginNotAllowed`] for another origin or a missing one, and for plain HTTP on a TLS connection.
pub(crate) fn origin_of(parts: &Parts, admin_url: Option<&BaseUrl>) -> Result<Url, Error> {
    let not_allowed = |reason: String| Error::OriginNotAllowed(reason);
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(ORIGIN).ok_or_else(|| {
        not_allowed("the request has no Origin header; it must come from a page of this service".to_owned())
    })?;
    let foreign = || not_allowed(format!("{origin:?} is not the origin of a page of this service"));
    let url = Url::parse(origin).map_err(|_| foreign())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(foreign());
    }
    if admin_url.is_some_and(|admin_url| admin_url.join("/").origin() == url.origin()) {
        return Ok(url);
    }
    if url.scheme() == "http" && IsTls::of(&parts.extensions) {
        return Err(not_allowed(format!("the page {origin} was not loaded over https, which this service speaks")));
    }
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = authority.or_else(|| text(HOST)).unwrap_or_default();
    // Parses the host with the scheme of the origin, so that a default port compares equal on both sides.
    let target = Url::parse(&format!("{}://{host}", url.scheme())).ok();
    if target.is_some_and(|target| target.origin() == url.origin()) {
        return Ok(url);
    }
    let page = url.origin().ascii_serialization();
    Err(not_allowed(format!(
        "the page is at {page}, but the Host header of the request is {host:?}; if a proxy has changed the header, \
         let it send the header of the browser with its port (nginx: proxy_set_header Host $http_host), or start this \
         service with --admin-url {page}"
    )))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    fn origin(host: &str, origin: Option<&str>) -> bool {
        let request = Request::builder().header(HOST, host);
        let request = origin.into_iter().fold(request, |request, origin| request.header(ORIGIN, origin));
        origin_of(&request.body(()).unwrap().into_parts().0, None).is_ok()
    }

    #[test]
    fn only_the_services_own_origin_is_allowed() {
        assert!(origin("admin.example.org", Some("https://admin.example.org")));
        assert!(origin("admin.example.org:443", Some("https://admin.example.org")));
        assert!(origin("127.0.0.1:8081", Some("http://127.0.0.1:8081")));
        assert!(!origin("127.0.0.1:8081", Some("http://127.0.0.1:8080")));
        assert!(!origin("admin.example.org", Some("https://example.org")));
        assert!(!origin("admin.example.org", Some("https://admin.example.org.evil.example")));
        assert!(!origin("admin.example.org", Some("null")));
        assert!(!origin("admin.example.org", None));
    }

    #[test]
    fn a_tls_service_requires_an_https_origin() {
        let own = |origin| {
            let request = Request::builder().header(HOST, "a.example:8443").header(ORIGIN, origin);
            let mut parts = request.body(()).unwrap().into_parts().0;
            parts.extensions.insert(IsTls(true));
            origin_of(&parts, None).is_ok()
        };
        assert!(own("https://a.example:8443"));
        assert!(!own("http://a.example:8443"));
    }

    #[test]
    fn a_changed_host_header_is_named_and_can_be_allowed() {
        let request = Request::builder().header(HOST, "127.0.0.1:8081").header(ORIGIN, "https://admin.example:8443");
        let parts = request.body(()).unwrap().into_parts().0;
        let text = origin_of(&parts, None).unwrap_err().to_string();
        for words in ["\"127.0.0.1:8081\"", "$http_host", "--admin-url https://admin.example:8443"] {
            assert!(text.contains(words), "{words} is not in {text}");
        }
        let allows = |url: &str| origin_of(&parts, Some(&url.parse().unwrap())).is_ok();
        assert!(allows("https://admin.example:8443/base"));
        assert!(!allows("https://admin.example") && !allows("http://admin.example:8443"));
    }

    #[test]
    fn cookies_are_found_by_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; __Host-x-api-key=2; x-api-key=\"3\"".parse().unwrap());
        headers.append(COOKIE, "X-API-Key=4".parse().unwrap());
        let found: Vec<_> = cookies_named(&headers, "x-api-key").iter().map(|c| (c.value, c.has_host_prefix)).collect();
        assert_eq!(found, [("2", true), ("3", false), ("4", false)]);
    }

    #[test]
    fn foreign_cookies_do_not_hide_a_session() {
        for theme in ["grün".as_bytes(), b"gr\xfcn"] {
            let cookies = [b"theme=", theme, b"; x-api-key=5"].concat();
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(&cookies).unwrap())]);
            assert_eq!(cookies_named(&headers, "x-api-key"), [AdminCookie { value: "5", has_host_prefix: false }]);
        }
    }

    #[test]
    fn any_number_of_other_cookies_hides_no_session() {
        let (key, now) = (AdminKey::new(&"k".repeat(32)).unwrap(), Timestamp::from_millis(0));
        let session = key.new_session(now);
        let cookie = |value, has_host_prefix| AdminCookie { value, has_host_prefix };
        let check = |cookies: &[AdminCookie<'_>], over_tls| by_cookie(&key, cookies, over_tls, now);
        let mut cookies = vec![cookie("tossed", false); 500];
        assert_eq!(check(&cookies, false), Attempt::Wrong);
        cookies.push(cookie(&session, true));
        assert_eq!(check(&cookies, false), Attempt::Correct);
        assert_eq!(check(&cookies, true), Attempt::Correct);
        // A page of another host can set a cookie without the prefix, with a session of its own.
        assert_eq!(check(&[cookie(&session, false)], true), Attempt::Missing);
        assert_eq!(check(&[cookie(&session, false)], false), Attempt::Correct);
        // Only two guesses at the key.
        let right = "k".repeat(32);
        let guesses = ["1", "2", right.as_str()].map(|value| cookie(value, false));
        assert_eq!(check(&guesses, true), Attempt::Wrong);
        assert_eq!(check(&guesses[1..], true), Attempt::Correct);
        assert_eq!(check(&[], true), Attempt::Missing);
    }
}
