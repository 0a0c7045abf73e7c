//! Requests and responses in payload format 2.0.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

/// Largest payload of an invocation and of its response, in bytes.
pub(super) const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// Converts a request to an event in payload format 2.0.
pub(super) async fn event(stage: Option<&str>, request: Request) -> Bytes {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers = serde_json::Map::new();
    for name in parts.headers.keys().filter(|name| *name != http::header::COOKIE) {
        let values: Vec<_> = parts.headers.get_all(name).iter().map(text).collect();
        headers.insert(name.to_string(), values.join(",").into());
    }
    let source = "127.0.0.1";
    let forwarded = headers.get("x-forwarded-for").and_then(Value::as_str);
    let forwarded = forwarded.map_or_else(|| source.to_owned(), |before| format!("{before}, {source}"));
    headers.insert("x-forwarded-for".to_owned(), forwarded.into());
    // The page is loaded over plain http here, unlike on the platform.
    headers.insert("x-forwarded-proto".to_owned(), "http".into());
    let cookies = parts.headers.get_all(http::header::COOKIE).iter().map(text);
    let cookies: Vec<_> = cookies.flat_map(|value| value.split("; ").map(str::to_owned).collect::<Vec<_>>()).collect();
    let is_text = |headers: &HeaderMap| {
        let media = headers.get("content-type").map(text).unwrap_or_default();
        media.starts_with("text/") || media.starts_with("application/json")
    };
    let is_base64 = !body.is_empty() && !is_text(&parts.headers);
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": parts.uri.path(),
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "emulated",
            "domainName": "emulated.lambda-url.eu-central-1.on.aws",
            "http": {
                "method": parts.method.as_str(),
                "path": parts.uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": source,
            },
            "requestId": "emulated",
            "routeKey": "$default",
            "stage": stage.unwrap_or("$default"),
            "timeEpoch": 0,
        },
        "isBase64Encoded": is_base64,
    });
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    if !body.is_empty() {
        event["body"] =
            if is_base64 { STANDARD.encode(&body) } else { String::from_utf8_lossy(&body).into_owned() }.into();
    }
    Bytes::from(event.to_string())
}

/// Converts a response in payload format 2.0.
pub(super) fn response(response: &Value) -> Response {
    let status = u16::try_from(response["statusCode"].as_u64().expect("a status")).unwrap();
    let body = response["body"].as_str().unwrap_or_default();
    let body =
        if response["isBase64Encoded"] == true { STANDARD.decode(body).unwrap() } else { body.as_bytes().to_vec() };
    let mut builder = Response::builder().status(status);
    for (name, value) in response["headers"].as_object().into_iter().flatten() {
        builder = builder.header(name, value.as_str().expect("a header has one value"));
    }
    for cookie in response["cookies"].as_array().into_iter().flatten() {
        builder = builder.header("set-cookie", cookie.as_str().unwrap());
    }
    builder.body(Body::from(body)).unwrap()
}
