//! Audit records: writes what the commit of a request has not recorded.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use http_body::Body as _;

use super::MiddlewareContext;
use super::request_scope::{matched_route, scope_of};
use crate::domain::audit::{Outcome, RequestScope, ResponseInfo};
use crate::server::api::error::ApiError;
use crate::server::net::response_body::{CountedBody, StreamedPayload};
use crate::server::net::write_timeout::PayloadMark;
use crate::server::state::AppState;

/// Writes the records of a request on an audited route. Writes before the response, or at the end of a streamed
/// payload.
pub(super) async fn write_records(
    context: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let (scope, route) = (scope_of(&request), matched_route(&request));
    let mark = request.extensions().get::<PayloadMark>().cloned().unwrap_or_default();
    let response = next(request).await;
    if route.action.is_none() {
        return response;
    }
    let status = response.status();
    let outcome = outcome_of(status);
    if response.extensions().get::<StreamedPayload>().is_none() {
        let bytes_out = response.body().size_hint().exact().unwrap_or(0);
        let code = response.extensions().get::<ApiError>().map(ApiError::code);
        finish(&context.app, &scope, ResponseInfo { status: status.as_u16(), outcome, code, bytes_out }).await;
        return response;
    }
    mark.set();
    let (timeout, min_rate) = (context.timeouts.response_timeout(), context.timeouts.min_rate);
    let on_end = move |bytes_out| {
        let info = ResponseInfo { status: status.as_u16(), outcome, code: None, bytes_out };
        tokio::spawn(async move { finish(&context.app, &scope, info).await });
    };
    response.map(|body| Body::new(CountedBody::new(body, timeout, min_rate, on_end)))
}

/// Writes the records, and adds the bytes that they report to the metrics.
async fn finish(app: &AppState, scope: &RequestScope, response: ResponseInfo) {
    app.metrics.requests.count_bytes(scope.request().service, scope.bytes_in(), response.bytes_out);
    app.audit.finish(scope, response).await;
}

/// Returns the outcome of an action from the HTTP status of its response.
fn outcome_of(status: StatusCode) -> Outcome {
    if status.is_server_error() {
        Outcome::Failed
    } else if status.is_client_error() {
        Outcome::Refused
    } else {
        Outcome::Done
    }
}
