//! `GET /d/{transfer_id}` and `GET /`: what people see who have no `sgsend`.

use axum::extract::State;
use axum::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::domain::id::TransferId;
use crate::server::app::AppState;
use crate::server::error::Refusal;
use crate::server::extract::Id;
use crate::server::web::Page;

/// The page of a link, which opens it.
///
/// It looks at no transfer, so that a preview of the link uses up nothing and learns nothing. Where the link is damaged,
/// browsers get the same page, which says so.
#[utoipa::path(
    get, path = "/d/{transfer_id}", tag = "pages",
    params(("transfer_id" = TransferId, Path)),
    responses(
        (status = 200, body = String, content_type = "text/html"),
        (status = 400, body = String, content_type = "text/html"),
    )
)]
pub(super) async fn recipient(
    State(app): State<AppState>,
    id: Result<Id<TransferId>, Refusal>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    match id {
        Ok(Id(_)) => Ok(Page::Receive.answer(&app, &headers)),
        Err(_) if takes_html(&headers) => {
            // Whole, whatever the browser has already: "not modified" would not be an error. And others get no page.
            let mut page = Page::Receive.answer(&app, &HeaderMap::new());
            page.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            *page.status_mut() = StatusCode::BAD_REQUEST;
            Ok(page)
        }
        Err(refusal) => Err(refusal),
    }
}

/// Whether a client asks for HTML by name, as browsers do for what they show.
fn takes_html(headers: &HeaderMap) -> bool {
    let ranges =
        headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
    let mut types = ranges.filter_map(|range| range.split(';').next());
    types.any(|name| name.trim().eq_ignore_ascii_case("text/html"))
}

/// The page that sends.
#[utoipa::path(
    get, path = "/", tag = "pages",
    responses((status = 200, body = String, content_type = "text/html"))
)]
pub(super) async fn sender(State(app): State<AppState>, headers: HeaderMap) -> Response {
    Page::Send.answer(&app, &headers)
}
