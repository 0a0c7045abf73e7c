//! Access lines: one log line at info level per request, written when its response has ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::Method;
use http::header::CONTENT_LENGTH;
use http_body::{Body as _, Frame, SizeHint};
use tracing::Level;

use super::MiddlewareContext;
use super::request_scope::scope_of;
use crate::domain::audit::RequestScope;
use crate::domain::error::ErrorCode;
use crate::server::api::error::ApiError;

/// Target of access lines, for filters such as `warn,sgsend=info,sgsend::access=off`.
const TARGET: &str = "sgsend::access";

/// Writes the access line of a request once its response was sent or its client has gone.
///
/// The line has the route's template, never the path or the query of the request, and no id of a transfer, token or
/// client unless the service was told to log them.
pub(super) async fn log_request(
    context: Arc<MiddlewareContext>,
    request: Request,
    next: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    if !tracing::enabled!(target: TARGET, Level::INFO) {
        return next(request).await;
    }
    let (scope, is_head) = (scope_of(&request), request.method() == Method::HEAD);
    let response = next(request).await;
    let line = AccessLine {
        scope,
        status: response.status().as_u16(),
        code: response.extensions().get::<ApiError>().map(ApiError::code),
        has_ids: context.log_ids,
    };
    // The connection reads no body of these responses, so their end would not be noticed.
    if is_head || response.body().is_end_stream() {
        line.write(0, false);
        return response;
    }
    let declared = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let length = response.body().size_hint().exact().or(declared);
    response.map(|inner| Body::new(LoggedBody { inner, length, sent: 0, has_ended: false, line }))
}

/// Facts of a request for its access line.
struct AccessLine {
    scope: Arc<RequestScope>,
    status: u16,
    code: Option<ErrorCode>,
    has_ids: bool,
}

impl AccessLine {
    /// Writes the line, with the number of bytes of the body that were passed to the connection.
    fn write(&self, bytes_out: u64, is_aborted: bool) {
        let (scope, request) = (&self.scope, self.scope.request());
        let client = Some(&request.client).filter(|_| self.has_ids);
        // Three decimals: microseconds.
        let duration_ms = (scope.age().as_secs_f64() * 1e6).round() / 1e3;
        tracing::info!(
            target: TARGET,
            request_id = %request.request_id,
            service = request.service.as_str(),
            method = request.method.as_str(),
            route = request.route.as_str(),
            status = self.status,
            code = self.code.map(ErrorCode::as_str),
            bytes_in = scope.bytes_in(),
            bytes_out,
            duration_ms,
            aborted = is_aborted.then_some(true),
            transfer_id = scope.transfer_id().filter(|_| self.has_ids).map(tracing::field::display),
            token_id = scope.token_id().filter(|_| self.has_ids).map(tracing::field::display),
            client = client.and_then(|client| client.address.as_deref()),
            client_epoch = client.and_then(|client| client.epoch.as_deref()),
            "request"
        );
    }
}

/// Body that writes the access line when it is dropped: sent, failed, or left by its client.
struct LoggedBody {
    inner: Body,
    /// Length in bytes, if known before: the connection does not ask for the end of such a body.
    length: Option<u64>,
    sent: u64,
    has_ended: bool,
    line: AccessLine,
}

impl http_body::Body for LoggedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.sent += frame.data_ref().map_or(0, Bytes::len) as u64,
            Poll::Ready(None) => self.has_ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for LoggedBody {
    fn drop(&mut self) {
        let is_complete = self.has_ended || self.length == Some(self.sent) || self.inner.is_end_stream();
        self.line.write(self.sent, !is_complete);
    }
}
