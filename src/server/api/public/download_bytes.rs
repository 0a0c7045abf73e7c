//! `GET` and `HEAD /transfers/id/{transfer_id}/payload/download-bytes`

use std::ops::Range;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::domain::crypto::proof::{AccessProof, Grant};
use crate::domain::error::Error;
use crate::domain::id::TransferId;
use crate::domain::transfer::ResolvedLink;
use crate::domain::transfers::PayloadDownload;
use crate::server::api::error::ApiError;
use crate::server::api::extract::{AnyLink, Params, Proofs, Scope};
use crate::server::api::range::{Selection, select};
use crate::server::net::egress_limit::PacedBody;
use crate::server::net::response_body::StreamedPayload;
use crate::server::state::AppState;

/// Response header with the new grant of a download that was requested without a grant.
const GRANT: HeaderName = HeaderName::from_static("x-sgsend-grant");
/// Response header that switches off the buffering of nginx for one response.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Query parameter with the grant, for clients that cannot set a header.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GrantParam {
    /// The grant from `download/create-presign-url`. The header `x-sgsend-grant` takes precedence.
    #[param(inline, value_type = Option<Grant>)]
    grant: Option<String>,
}

impl GrantParam {
    /// Returns the grant of a request: from its header, else from its query. A malformed grant is an error in either.
    fn or(self, header: Option<Grant>) -> Result<Option<Grant>, Error> {
        let grant = self.grant.map(|grant| grant.parse()).transpose();
        let grant = grant.map_err(|error| Error::InvalidRequest(format!("grant: {error}")))?;
        Ok(header.or(grant))
    }
}

/// Downloads the encrypted payload, or a range of it.
///
/// With a grant, ranges and retries count as one download. Without a grant, each GET counts as a new download, and the
/// response header `x-sgsend-grant` carries a grant to resume it.
#[utoipa::path(
    get, operation_id = "download_payload", path = "/transfers/id/{transfer_id}/payload/download-bytes", tag = "transfers",
    params(
        ("transfer_id" = TransferId, Path),
        ("x-sgsend-access" = inline(Option<AccessProof>), Header),
        ("x-sgsend-grant" = inline(Option<Grant>), Header),
        ("range" = Option<String>, Header),
        GrantParam,
    ),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "The client has the current version"),
        (status = 412, description = "`If-Match` names another version"),
    )
)]
pub(super) async fn get_bytes(
    State(app): State<AppState>,
    scope: Scope,
    AnyLink(link): AnyLink,
    proofs: Proofs,
    Params(param): Params<GrantParam>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let grant = param.or(proofs.grant)?;
    let selection = select(&headers, &etag(&link), link.transfer.size_bytes);
    let range = selection.range(link.transfer.size_bytes);
    let download = app.transfers.download(&scope, &link, proofs.access.as_ref(), grant.as_ref(), range).await?;
    let Some(PayloadDownload { range, payload, new_grant }) = download else {
        return without_bytes(&link, &selection);
    };
    let body = Body::from_stream(payload);
    let body = match app.egress_limit.clone() {
        Some(limit) => Body::new(PacedBody::new(body, limit, scope.request().network_key)),
        None => body,
    };
    let mut response = body.into_response();
    describe(response.headers_mut(), &link, &range);
    if matches!(selection, Selection::Part(_)) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let text = format!("bytes {}-{}/{}", range.start, range.end - 1, link.transfer.size_bytes);
        let text = HeaderValue::from_str(&text).expect("digits are a valid header value");
        response.headers_mut().insert(CONTENT_RANGE, text);
    }
    if let Some(grant) = new_grant {
        let text = HeaderValue::from_str(&grant.to_text()).expect("base64url is a valid header value");
        response.headers_mut().insert(GRANT, text);
    }
    response.extensions_mut().insert(StreamedPayload);
    Ok(response)
}

/// Returns the headers of a GET without counting a download, for example to check a key.
///
/// Does not read the payload, and works in every mode.
#[utoipa::path(
    head, operation_id = "check_payload", path = "/transfers/id/{transfer_id}/payload/download-bytes", tag = "transfers",
    params(
        ("transfer_id" = TransferId, Path),
        ("x-sgsend-access" = inline(Option<AccessProof>), Header),
        ("x-sgsend-grant" = inline(Option<Grant>), Header),
        GrantParam,
    ),
    responses(
        (status = 200, description = "The payload can be downloaded"),
        (status = 304, description = "The client has the current version"),
        (status = 412, description = "`If-Match` names another version"),
    )
)]
pub(super) async fn head_bytes(
    State(app): State<AppState>,
    scope: Scope,
    AnyLink(link): AnyLink,
    proofs: Proofs,
    Params(param): Params<GrantParam>,
    mut headers: HeaderMap,
) -> Result<Response, ApiError> {
    let grant = param.or(proofs.grant)?;
    // Ranges are defined for GET only (RFC 9110, section 14.2).
    headers.remove(RANGE);
    app.transfers.check_download(&scope, &link, proofs.access.as_ref(), grant.as_ref()).await?;
    match select(&headers, &etag(&link), link.transfer.size_bytes) {
        Selection::Whole => {}
        other => return without_bytes(&link, &other),
    }
    let mut response = StatusCode::OK.into_response();
    describe(response.headers_mut(), &link, &(0..link.transfer.size_bytes));
    Ok(response)
}

/// Returns the response for a selection without payload bytes.
fn without_bytes(link: &ResolvedLink, selection: &Selection) -> Result<Response, ApiError> {
    let status = match selection {
        Selection::NotModified => StatusCode::NOT_MODIFIED,
        Selection::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Selection::Whole | Selection::Part(_) | Selection::Unsatisfiable => {
            return Err(Error::RangeNotSatisfiable { size_bytes: link.transfer.size_bytes }.into());
        }
    };
    let mut response = status.into_response();
    response.headers_mut().insert(ETAG, etag_header(link));
    Ok(response)
}

/// Returns the entity tag of a payload: the id of the link, since a payload never changes.
fn etag(link: &ResolvedLink) -> String {
    format!("\"{}\"", link.id())
}

fn etag_header(link: &ResolvedLink) -> HeaderValue {
    HeaderValue::from_str(&etag(link)).expect("hex digits in quotes are a valid header value")
}

/// Adds the entity and content headers of a payload response.
fn describe(headers: &mut HeaderMap, link: &ResolvedLink, range: &Range<u64>) {
    headers.insert(ETAG, etag_header(link));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    // nginx would otherwise read up to 1 GiB ahead of a slow client, and then pause.
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grant_in_the_header_takes_precedence_but_does_not_hide_a_malformed_one() {
        let (one, other) = (Grant::random(), Grant::random());
        let query = |text: &str| GrantParam { grant: Some(text.to_owned()) };
        let in_query = query(&other.to_text());
        assert!(in_query.or(one.to_text().parse().ok()).unwrap().unwrap().to_text() == one.to_text());
        assert!(query(&other.to_text()).or(None).unwrap().unwrap().to_text() == other.to_text());
        for header in [None, Some(one)] {
            assert!(
                matches!(query("short").or(header), Err(Error::InvalidRequest(text)) if text.starts_with("grant: "))
            );
        }
    }
}
