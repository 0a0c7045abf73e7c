//! Renders the errors of handlers and of inner layers as problem details (RFC 9457).

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::header::CONTENT_LENGTH;

use super::MiddlewareContext;
use super::request_scope::scope_of;
use crate::server::api::error::ApiError;

/// Renders the body of an error response from the [`ApiError`] in its extensions. The extension is kept.
pub(super) async fn render_error(
    _: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let scope = scope_of(&request);
    let response = next(request).await;
    let Some(error) = response.extensions().get::<ApiError>().cloned() else { return response };
    let mut rendered = keep_headers(&response, error.render(scope.request().request_id));
    rendered.extensions_mut().insert(error);
    rendered
}

/// Copies headers that the router has set, such as `allow`, to the rendered response.
fn keep_headers(original: &Response, mut rendered: Response) -> Response {
    for (name, value) in original.headers() {
        if !rendered.headers().contains_key(name) && name != CONTENT_LENGTH {
            rendered.headers_mut().insert(name, value.clone());
        }
    }
    rendered
}
