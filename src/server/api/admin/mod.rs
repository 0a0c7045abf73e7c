//! The admin service (`sgsend serve admin`): tokens, statistics, audit trail, deletion of transfers.

mod audit;
mod delete;
mod delete_many;
mod list_transfers;
mod page;
mod prove;
mod session;
mod stats;
mod targets;
mod token_notifications;
mod tokens;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{health, metrics};
use crate::server::state::AppState;

/// The routes of the admin service.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health::admin))
        .routes(routes!(health::ready))
        .routes(routes!(tokens::create))
        .routes(routes!(tokens::list))
        .routes(routes!(tokens::update))
        .routes(routes!(tokens::revoke))
        .routes(routes!(stats::overview))
        .routes(routes!(targets::list))
        .routes(routes!(metrics::admin))
        .routes(routes!(audit::all))
        .routes(routes!(list_transfers::list))
        .routes(routes!(delete_many::delete_many))
        .routes(routes!(delete::delete))
        .routes(routes!(page::overview))
        .routes(routes!(session::form))
        .routes(routes!(session::script))
        .routes(routes!(session::set_cookie))
        .routes(routes!(session::end))
        .routes(routes!(prove::prove))
}
