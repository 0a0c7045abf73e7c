//! `GET /`: what an operator sees in a browser.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::server::app::AppState;
use crate::server::web::Page;

/// The page that watches over the service; what it shows takes a session.
#[utoipa::path(
    get, path = "/", tag = "pages",
    responses((status = 200, body = String, content_type = "text/html"))
)]
pub(super) async fn overview(State(app): State<AppState>, headers: HeaderMap) -> Response {
    Page::Admin.answer(&app, &headers)
}
