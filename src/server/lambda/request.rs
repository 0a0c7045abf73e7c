//! Requests of events: path, headers, body, and the client's address.

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::COOKIE;
use http::{HeaderName, HeaderValue, Method, Uri};
use url::Url;

use super::event::RequestEvent;
use crate::server::net::base_path::BasePath;
use crate::server::net::connection_info::{IsTls, Peer};

/// Header to which the platform appends the address of its client.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Header in which the platform names the scheme, `https`.
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Stage of an API whose name is not in its paths.
const DEFAULT_STAGE: &str = "$default";

/// The part of paths in front of the service's routes.
#[derive(Clone, Debug)]
pub(super) enum FunctionPath {
    /// That of the service's configured URL, which may have none.
    Configured(Option<BasePath>),
    /// The stage of the API, if it has a name.
    Stage,
}

/// Request or redirect of an event.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "exists once per request")]
pub(super) enum RoutedEvent {
    /// A request to the service.
    Request(Request),
    /// A redirect to this relative path, the base path with a slash at its end.
    ///
    /// Without it, relative links of the page would be wrong.
    Redirect(String),
}

/// The event is no valid request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidRequestEvent {
    #[error("invalid method")]
    Method,
    #[error("invalid path or query")]
    Path,
    #[error("invalid header")]
    Header,
    #[error("invalid Base64 in the body")]
    Body,
    #[error("invalid client address")]
    Address,
}

impl FunctionPath {
    fn for_stage(&self, stage: &str) -> Option<BasePath> {
        match self {
            Self::Configured(base_path) => base_path.clone(),
            Self::Stage => Some(stage).filter(|stage| *stage != DEFAULT_STAGE).and_then(BasePath::of_segment),
        }
    }
}

impl RequestEvent {
    /// Creates the request to the service; removes the base path.
    ///
    /// # Errors
    /// [`InvalidRequestEvent`] if a part of the event is malformed.
    pub(super) fn route(self, base: &FunctionPath) -> Result<RoutedEvent, InvalidRequestEvent> {
        let method: Method = self
            .request_context
            .http
            .method
            .parse()
            .map_err(|_: http::method::InvalidMethod| InvalidRequestEvent::Method)?;
        let uri = uri(if self.raw_path.is_empty() { "/" } else { &self.raw_path }, &self.raw_query_string)?;
        let base_path = base.for_stage(&self.request_context.stage);
        if let Some(target) = base_path.as_ref().and_then(|base_path| base_path.with_slash(&uri)) {
            return Ok(RoutedEvent::Redirect(target));
        }
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        // Also of a domain name of its own, which can map its root to the stage: its paths have no stage.
        if let Some(base_path) = base_path {
            base_path.strip(&mut request);
        }
        let source: IpAddr = self.request_context.http.source_ip.parse().map_err(|_| InvalidRequestEvent::Address)?;
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidRequestEvent::Header)?;
            let value = if name == FORWARDED_FOR { without_source(value, source) } else { value };
            if value.is_empty() && name == FORWARDED_FOR {
                continue;
            }
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| InvalidRequestEvent::Header)?;
            request.headers_mut().insert(name, value);
        }
        if !self.cookies.is_empty() {
            let cookies = HeaderValue::from_str(&self.cookies.join("; ")).map_err(|_| InvalidRequestEvent::Header)?;
            request.headers_mut().insert(COOKIE, cookies);
        }
        let is_tls = self.headers.get(FORWARDED_PROTO).is_none_or(|scheme| scheme != "http");
        request.extensions_mut().insert(Peer::Network(SocketAddr::new(source, 0)));
        request.extensions_mut().insert(IsTls(is_tls));
        *request.body_mut() = match self.body {
            None => Body::empty(),
            Some(body) if self.is_base64_encoded => {
                Body::from(STANDARD.decode(body).map_err(|_| InvalidRequestEvent::Body)?)
            }
            Some(body) => Body::from(body),
        };
        Ok(RoutedEvent::Request(request))
    }
}

/// Builds the URI of a request. HTTP APIs decode the path, so it may contain any character.
fn uri(path: &str, query: &str) -> Result<Uri, InvalidRequestEvent> {
    let with_query = |path: &str| if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    if let Ok(uri) = with_query(path).parse() {
        return Ok(uri);
    }
    let mut url = Url::parse("http://localhost").expect("a valid URL");
    url.set_path(path);
    with_query(url.path()).parse().map_err(|_| InvalidRequestEvent::Path)
}

/// Returns the header's entries in front of the platform's own, which is last.
///
/// Without it, the entries are those that the client or a proxy in front of the platform has sent.
fn without_source(value: &str, source: IpAddr) -> &str {
    let (rest, last) = value.rsplit_once(',').unwrap_or(("", value));
    if last.trim().parse() == Ok(source) { rest.trim_end() } else { value }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::super::event::LambdaEventKind;
    use super::*;

    fn event(path: &str, stage: &str, more: Value) -> RequestEvent {
        let mut event = json!({
            "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": { "host": "x.example" },
            "requestContext": { "stage": stage, "http": { "method": "POST", "sourceIp": "192.0.2.1" } },
        });
        let Value::Object(more) = more else { panic!("{more:?}") };
        event.as_object_mut().unwrap().extend(more);
        match LambdaEventKind::parse(event) {
            Ok(LambdaEventKind::Request(event)) => *event,
            other => panic!("{other:?}"),
        }
    }

    fn routed(event: RequestEvent, base: &FunctionPath) -> Request {
        match event.route(base) {
            Ok(RoutedEvent::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn path(path: &str, stage: &str, base: &FunctionPath) -> String {
        match event(path, stage, json!({})).route(base).unwrap() {
            RoutedEvent::Request(request) => request.uri().to_string(),
            RoutedEvent::Redirect(to) => format!("-> {to}"),
        }
    }

    #[test]
    fn stage_and_base_path_are_removed() {
        let configured = |url: &str| FunctionPath::Configured(BasePath::of(&url.parse().unwrap()));
        for (raw, stage, base, expected) in [
            ("/health", "$default", FunctionPath::Stage, "/health"),
            ("/", "$default", FunctionPath::Stage, "/"),
            ("", "$default", FunctionPath::Stage, "/"),
            ("/prod/health", "prod", FunctionPath::Stage, "/health"),
            ("/prod/", "prod", FunctionPath::Stage, "/"),
            ("/prod", "prod", FunctionPath::Stage, "-> ./prod/"),
            ("/production/health", "prod", FunctionPath::Stage, "/production/health"),
            ("/health", "prod", FunctionPath::Stage, "/health"),
            ("/send/health", "prod", configured("https://x.example/send/"), "/health"),
            ("/send", "prod", configured("https://x.example/send/"), "-> ./send/"),
            ("/prod/health", "prod", configured("https://x.example"), "/prod/health"),
            ("/s%65nd/health", "prod", configured("https://x.example/send/"), "/health"),
            ("/a b/ü", "$default", FunctionPath::Stage, "/a%20b/%C3%BC"),
        ] {
            assert_eq!(path(raw, stage, &base), expected, "{raw} of {stage}, {base:?}");
        }
    }

    #[tokio::test]
    async fn headers_cookies_and_bodies_are_those_of_the_client() {
        let more = json!({
            "rawQueryString": "limit=5&after=a%20b", "cookies": ["a=1", "b=2"], "isBase64Encoded": true,
            "body": "AAH/", "headers": { "host": "x.example", "x-request-id": "7" },
        });
        let request = routed(event("/health", "$default", more), &FunctionPath::Stage);
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "/health?limit=5&after=a%20b");
        assert_eq!(
            (&request.headers()[COOKIE], &request.headers()["x-request-id"]),
            (&"a=1; b=2".parse().unwrap(), &"7".parse().unwrap())
        );
        assert!(IsTls::of(request.extensions()), "functions are reached over TLS only");
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes().as_ref(), [0, 1, 255]);
        let plain = routed(event("/", "$default", json!({ "body": "{}" })), &FunctionPath::Stage);
        assert_eq!(plain.into_body().collect().await.unwrap().to_bytes().as_ref(), b"{}");
    }

    #[test]
    fn the_address_is_that_of_the_context() {
        for (header, left) in [
            ("192.0.2.1", None),
            ("203.0.113.9, 192.0.2.1", Some("203.0.113.9")),
            ("203.0.113.9,198.51.100.1,192.0.2.1", Some("203.0.113.9,198.51.100.1")),
            ("203.0.113.9", Some("203.0.113.9")),
        ] {
            let more = json!({ "headers": { "host": "x.example", "x-forwarded-for": header } });
            let request = routed(event("/", "$default", more), &FunctionPath::Stage);
            assert_eq!(request.extensions().get::<Peer>().unwrap().ip().to_string(), "192.0.2.1");
            let kept = request.headers().get(FORWARDED_FOR).map(|value| value.to_str().unwrap());
            assert_eq!(kept, left, "{header}");
        }
    }

    #[test]
    fn malformed_parts_are_rejected() {
        let error = |more: Value| event("/", "$default", more).route(&FunctionPath::Stage).unwrap_err();
        let context = |method: &str, address: &str| json!({ "requestContext": { "stage": "$default", "http": { "method": method, "sourceIp": address } } });
        assert_eq!(error(context("a b", "192.0.2.1")), InvalidRequestEvent::Method);
        assert_eq!(error(context("GET", "nowhere")), InvalidRequestEvent::Address);
        assert_eq!(error(json!({ "headers": { "a b": "1" } })), InvalidRequestEvent::Header);
        assert_eq!(error(json!({ "headers": { "a": "1\n2" } })), InvalidRequestEvent::Header);
        assert_eq!(error(json!({ "body": "?", "isBase64Encoded": true })), InvalidRequestEvent::Body);
        assert_eq!(error(json!({ "rawQueryString": "a b" })), InvalidRequestEvent::Path);
    }
}
