//! `GET /`: the admin page.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::server::state::AppState;
use crate::server::web::WebPage;

/// Returns the admin page. Its data needs a session.
#[utoipa::path(
    get, operation_id = "show_admin_page", path = "/", tag = "pages",
    responses((status = 200, body = String, content_type = "text/html"))
)]
pub(super) async fn overview(State(app): State<AppState>, headers: HeaderMap) -> Response {
    WebPage::Admin.response(&app, &headers)
}
