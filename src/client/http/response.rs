//! Reads responses up to a size limit, and parses them as JSON or as a [`ResponseError`].

use std::time::Duration;

use bytes::BytesMut;
use http::StatusCode;
use http::header::{LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;

use super::destination::Destination;
use super::fault::ProxyFault;
use crate::client::{ClientError, ResponseError};
use crate::domain::wire::Problem;

/// Maximum size of a response body, in bytes. A page of 1,000 records takes less than 1 MiB.
const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
/// Maximum size of an error response's body, in bytes.
const MAX_PROBLEM_BYTES: usize = 64 * 1024;
/// Maximum length of a kept text of an error response, in characters.
const MAX_DETAIL: usize = 400;
/// Maximum `Retry-After` that is honoured.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);

/// Sends a request and parses the JSON of its response.
pub(crate) async fn call<T: DeserializeOwned>(
    destination: &Destination,
    name: &'static str,
    request: RequestBuilder,
) -> Result<T, ClientError> {
    let response = send(destination, request).await?;
    read_json(destination, name, response).await
}

/// Sends a request and returns a successful response; other statuses are errors.
pub(crate) async fn send(destination: &Destination, request: RequestBuilder) -> Result<Response, ClientError> {
    let response = request.send().await.map_err(|error| ClientError::of_request(destination, error))?;
    destination.note_peer(response.remote_addr());
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    if status.is_redirection() {
        let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(shorten);
        return Err(ClientError::Redirected { origin: destination.origin().clone(), to });
    }
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        && let Some(proxy) = destination.forwarding_proxy()
    {
        let (origin, proxy) = (destination.origin().clone(), proxy.clone());
        return Err(ClientError::Proxy { origin, proxy, fault: ProxyFault::Authentication });
    }
    Err(error_response(destination, response).await.into())
}

/// Parses the JSON body of a successful response.
pub(crate) async fn read_json<T: DeserializeOwned>(
    destination: &Destination,
    name: &'static str,
    response: Response,
) -> Result<T, ClientError> {
    let invalid = |source| ClientError::InvalidResponse { origin: destination.origin().clone(), call: name, source };
    let body = match read(response, MAX_RESPONSE_BYTES).await {
        Ok(Some(body)) => body,
        Ok(None) => return Err(invalid("the response is too long".into())),
        Err(error) => return Err(ClientError::of_request(destination, error)),
    };
    serde_json::from_slice(&body).map_err(|error| invalid(error.into()))
}

/// Parses an error response. Never fails: without a valid body the error describes the status.
async fn error_response(destination: &Destination, response: Response) -> ResponseError {
    let status = response.status();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(shorten);
    let retry_after = header(RETRY_AFTER.as_str())
        .and_then(|seconds| seconds.parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    let request_id = header("x-request-id");
    let body = read(response, MAX_PROBLEM_BYTES).await.ok().flatten().unwrap_or_default();
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => ResponseError {
            status: status.as_u16(),
            code: problem.error_code(),
            code_text: shorten(&problem.code),
            detail: shorten(&problem.detail),
            request_id: request_id.or_else(|| Some(shorten(&problem.request_id))),
            limit_bytes: problem.limit_bytes,
            received_bytes: problem.received_bytes,
            transfer_id: problem.transfer_id,
            retry_after,
        },
        Err(_) => ResponseError {
            status: status.as_u16(),
            code: None,
            code_text: format!("http_{}", status.as_u16()),
            detail: match destination.forwarding_proxy() {
                None => format!("the server responded with status {status} and no details"),
                Some(proxy) => {
                    format!("the proxy {proxy}, or the server behind it, responded with status {status} and no details")
                }
            },
            request_id,
            limit_bytes: None,
            received_bytes: None,
            transfer_id: None,
            retry_after,
        },
    }
}

/// Reads a body of at most `limit` bytes; `None` for a longer body.
pub(super) async fn read(mut response: Response, limit: usize) -> reqwest::Result<Option<BytesMut>> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > limit - body.len() {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_DETAIL).collect()
}
