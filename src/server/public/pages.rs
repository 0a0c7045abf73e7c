//! `GET /d/{transfer_id}` and `GET /`: what people see who have no `sgsend`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::domain::id::TransferId;
use crate::server::app::AppState;
use crate::server::error::Refusal;
use crate::server::extract::Id;
use crate::server::web::Page;

/// The page of a link, which opens it.
///
/// It looks at no transfer, so that a preview of the link uses up nothing and learns nothing.
#[utoipa::path(
    get, path = "/d/{transfer_id}", tag = "pages",
    params(("transfer_id" = TransferId, Path)),
    responses((status = 200, body = String, content_type = "text/html"))
)]
pub(super) async fn recipient(
    State(app): State<AppState>,
    Id(_): Id<TransferId>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    Ok(Page::Receive.answer(&app, &headers))
}

/// The page that sends.
#[utoipa::path(
    get, path = "/", tag = "pages",
    responses((status = 200, body = String, content_type = "text/html"))
)]
pub(super) async fn sender(State(app): State<AppState>, headers: HeaderMap) -> Response {
    Page::Send.answer(&app, &headers)
}
