//! `GET /d/{transfer_id}` and `GET /`: what someone sees who opens a link without `sgsend`.

use axum::response::Response;

use crate::domain::id::TransferId;
use crate::server::error::Refusal;
use crate::server::extract::Id;
use crate::server::html::{Html, page};

/// The page of a link: how to open it.
///
/// It looks at no transfer, so that a preview of the link uses up nothing and learns nothing.
#[utoipa::path(
    get, path = "/d/{transfer_id}", tag = "pages",
    params(("transfer_id" = TransferId, Path)),
    responses((status = 200, body = String, content_type = "text/html"))
)]
pub(super) async fn recipient(Id(id): Id<TransferId>) -> Result<Response, Refusal> {
    let mut html = Html::default();
    html.element("h1", "Somebody has sent you a file");
    html.element("p", "It is encrypted. The key is the part of the link after the #, which this server never gets.");
    html.element("p", "To fetch and decrypt it, run this with the whole link, in quotes:");
    html.element("pre", "sgsend download 'LINK'");
    html.element("p", &format!("This is transfer {id}."));
    Ok(page("A file for you", &html))
}

/// The page of the service: how to send.
#[utoipa::path(
    get, path = "/", tag = "pages",
    responses((status = 200, body = String, content_type = "text/html"))
)]
pub(super) async fn sender() -> Response {
    let mut html = Html::default();
    html.element("h1", "sgsend");
    html.element("p", "Files are encrypted before they come here; this server holds nothing that it could read.");
    html.element("p", "To send one, ask whoever runs this server for a sender token, then:");
    html.element("pre", "sgsend login THIS-ADDRESS\nsgsend upload FILE");
    html.link("/docs", "The HTTP API");
    page("sgsend", &html)
}
