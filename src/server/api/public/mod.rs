//! The public service (`sgsend serve public`): the API and the pages for senders and recipients.

mod complete;
mod create;
mod delete;
mod download;
mod download_bytes;
mod event_stream;
mod events;
mod keys;
mod links;
mod list_transfers;
mod pages;
mod presign_urls;
mod requests;
mod status;
mod token_status;
mod upload_bytes;
mod upload_status;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{health, metrics};
use crate::server::state::AppState;

/// The routes of the public service.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health::public))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::public))
        .routes(routes!(create::create))
        .routes(routes!(upload_bytes::upload_bytes))
        .routes(routes!(upload_status::upload_status))
        .routes(routes!(presign_urls::create_presign_urls))
        .routes(routes!(complete::complete))
        .routes(routes!(status::status))
        .routes(routes!(keys::keys))
        .routes(routes!(download::create_presign_url))
        .routes(routes!(download_bytes::get_bytes, download_bytes::head_bytes))
        .routes(routes!(events::add))
        .routes(routes!(events::list_events))
        .routes(routes!(events::list_actions))
        .routes(routes!(event_stream::stream_events))
        .routes(routes!(delete::delete))
        .routes(routes!(list_transfers::list))
        .routes(routes!(links::update_own))
        .routes(routes!(links::create))
        .routes(routes!(links::list))
        .routes(routes!(links::update))
        .routes(routes!(links::revoke))
        .routes(routes!(requests::create))
        .routes(routes!(requests::list))
        .routes(routes!(requests::revoke))
        .routes(routes!(token_status::token_status))
        .routes(routes!(pages::recipient))
        .routes(routes!(pages::guest))
        .routes(routes!(pages::sender))
}
