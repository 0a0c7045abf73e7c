//! Request ids: the server's own, and an echo of the client's.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::MiddlewareContext;
use super::request_scope::scope_of;

/// The request id: assigned by the server in responses, chosen by the client in requests.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Response header that echoes the client's own request id.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
/// Maximum length of a client's request id, in bytes.
const MAX_CLIENT_ID_BYTES: usize = 64;

/// Adds the request ids to a response.
pub(super) async fn add_request_ids(
    _: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let scope = scope_of(&request);
    let mut response = next(request).await;
    let info = scope.request();
    let headers = response.headers_mut();
    let id = HeaderValue::from_str(&info.request_id.to_string());
    headers.insert(REQUEST_ID, id.expect("a UUID is a valid header value"));
    if let Some(id) = &info.client_request_id {
        let id = HeaderValue::from_str(id).expect("client_request_id allows only valid header characters");
        headers.insert(CLIENT_REQUEST_ID, id);
    }
    response
}

/// Returns the client's request id, if it is well-formed: 1 to 64 ASCII letters, digits and hyphens.
pub(super) fn client_request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fits = (1..=MAX_CLIENT_ID_BYTES).contains(&text.len());
    (fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')).then(|| text.to_owned())
}
