//! Responses in payload format 2.0.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_LENGTH, LOCATION, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;

use super::MAX_RESPONSE_BYTES;

/// A response in payload format 2.0.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LambdaResponse {
    status_code: u16,
    headers: BTreeMap<String, String>,
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

impl LambdaResponse {
    /// Reads a response as a whole. A body that is not UTF-8 is encoded in Base64.
    ///
    /// The middleware has bounded the responses of routes; a larger or broken body becomes status 500 all the same.
    pub(super) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let limit = usize::try_from(MAX_RESPONSE_BYTES).unwrap_or(usize::MAX);
        let body = match Limited::new(body, limit).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                tracing::error!(%error, "cannot read a response");
                return Self::empty(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        let (body, is_base64_encoded) = match String::from_utf8(body.into()) {
            Ok(text) => (text, false),
            Err(binary) => (STANDARD.encode(binary.as_bytes()), true),
        };
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Self {
            status_code: parts.status.as_u16(),
            cookies: parts.headers.get_all(SET_COOKIE).iter().map(text).collect(),
            headers: joined(&parts.headers),
            body,
            is_base64_encoded,
        }
    }

    fn empty(status: StatusCode) -> Self {
        Self {
            status_code: status.as_u16(),
            headers: BTreeMap::new(),
            cookies: Vec::new(),
            body: String::new(),
            is_base64_encoded: false,
        }
    }
}

/// Returns a redirect to `path`.
pub(super) fn redirect(path: &str) -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, path)], Body::empty()).into_response()
}

/// Joins repeated headers by commas, since the format has one value per name. Cookies have their own member.
fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::<String, String>::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != SET_COOKIE && *name != CONTENT_LENGTH) {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.to_string())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    joined
}

#[cfg(test)]
mod tests {
    use axum::response::AppendHeaders;

    use super::*;

    #[tokio::test]
    async fn text_is_sent_as_it_is_and_other_content_in_base64() {
        let text = LambdaResponse::of((StatusCode::CREATED, "ü").into_response()).await;
        assert_eq!((text.status_code, text.body.as_str(), text.is_base64_encoded), (201, "ü", false));
        let binary = LambdaResponse::of(vec![0, 255].into_response()).await;
        assert_eq!((binary.body.as_str(), binary.is_base64_encoded), ("AP8=", true));
    }

    #[tokio::test]
    async fn repeated_headers_are_joined_and_cookies_are_separate() {
        let headers = AppendHeaders([("vary", "a"), ("vary", "b"), ("set-cookie", "c=1"), ("set-cookie", "d=2")]);
        let response = LambdaResponse::of((headers, "").into_response()).await;
        assert_eq!(response.headers["vary"], "a, b");
        assert_eq!(response.cookies, ["c=1", "d=2"]);
        assert!(!response.headers.contains_key("set-cookie") && !response.headers.contains_key("content-length"));
    }

    #[tokio::test]
    async fn the_largest_body_fits_into_the_limit_of_the_platform() {
        let limit = usize::try_from(MAX_RESPONSE_BYTES).unwrap();
        for worst in ["\"", "\\", "\n"] {
            let response = LambdaResponse::of(worst.repeat(limit).into_response()).await;
            assert!(serde_json::to_vec(&response).unwrap().len() < 6 * 1024 * 1024, "{worst:?}");
        }
        let binary = LambdaResponse::of(vec![255; limit].into_response()).await;
        assert!(serde_json::to_vec(&binary).unwrap().len() < 6 * 1024 * 1024);
        let larger = LambdaResponse::of(vec![b'x'; limit + 1].into_response()).await;
        assert_eq!((larger.status_code, larger.body.as_str()), (500, ""));
    }
}
