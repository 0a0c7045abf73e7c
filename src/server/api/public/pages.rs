//! The web pages for recipients, guests and senders.
//!
//! `GET /d/{transfer_id}`, `GET /r/{token_id}` and `GET /`.

use axum::extract::State;
use axum::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::domain::id::{TokenId, TransferId};
use crate::server::api::error::ApiError;
use crate::server::api::extract::Id;
use crate::server::state::AppState;
use crate::server::web::WebPage;

/// Returns the recipient page of a link.
///
/// Reads no transfer, so a link preview counts no download and reveals nothing. For a malformed id, browsers get the
/// same page with status 400, and the page reports the damaged link.
#[utoipa::path(
    get, operation_id = "show_recipient_page", path = "/d/{transfer_id}", tag = "pages",
    params(("transfer_id" = TransferId, Path)),
    responses(
        (status = 200, body = String, content_type = "text/html"),
        (status = 400, body = String, content_type = "text/html"),
    )
)]
pub(super) async fn recipient(
    State(app): State<AppState>,
    id: Result<Id<TransferId>, ApiError>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    page_of_id(WebPage::Receive, id.err(), &app, &headers)
}

/// Returns the page on which guests upload for a request.
///
/// Reads no request: the page is the same for every well-formed id.
#[utoipa::path(
    get, operation_id = "show_request_page", path = "/r/{token_id}", tag = "pages",
    params(("token_id" = TokenId, Path)),
    responses(
        (status = 200, body = String, content_type = "text/html"),
        (status = 400, body = String, content_type = "text/html"),
    )
)]
pub(super) async fn guest(
    State(app): State<AppState>,
    id: Result<Id<TokenId>, ApiError>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    page_of_id(WebPage::Request, id.err(), &app, &headers)
}

/// Returns a page whose URL has an id, also for a malformed id in a browser.
fn page_of_id(
    page: WebPage,
    error: Option<ApiError>,
    app: &AppState,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    match error {
        None => Ok(page.response(app, headers)),
        Some(_) if takes_html(headers) => {
            // Ignores conditional headers, since 304 Not Modified would hide the error. Clients other than browsers get
            // a JSON error instead.
            let mut page = page.response(app, &HeaderMap::new());
            page.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            *page.status_mut() = StatusCode::BAD_REQUEST;
            Ok(page)
        }
        Some(error) => Err(error),
    }
}

/// Returns whether `Accept` lists `text/html`, as browsers send it for page navigation.
fn takes_html(headers: &HeaderMap) -> bool {
    let ranges =
        headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut types = ranges.filter_map(|range| range.split(';').next());
    types.any(|name| name.trim().eq_ignore_ascii_case("text/html"))
}

/// Returns the page for uploading files.
#[utoipa::path(
    get, operation_id = "show_sender_page", path = "/", tag = "pages",
    responses((status = 200, body = String, content_type = "text/html"))
)]
pub(super) async fn sender(State(app): State<AppState>, headers: HeaderMap) -> Response {
    WebPage::Send.response(&app, &headers)
}
