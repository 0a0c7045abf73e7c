//! Web pages and their assets, built into the program and served unmodified.
//!
//! No page contains data of a user or transfer: its scripts request data from the API. Nothing is filled into the HTML,
//! so nothing needs escaping.

mod asset;
pub(super) mod html;
mod policy;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::HeaderMap;
use http::header::CONTENT_SECURITY_POLICY;

use crate::domain::audit::ServiceName;
use crate::domain::error::Error;
use crate::server::api::error::ApiError;
use crate::server::state::AppState;
use asset::{Asset, asset};
pub(super) use policy::{Policy, store_origin};

/// Assets of all pages.
const SHARED: &[Asset] = &[
    asset!("style.css"),
    asset!("icon.svg"),
    asset!("scripts/copying.js"),
    asset!("scripts/events.js"),
    asset!("scripts/format.js"),
    asset!("scripts/page.js"),
    asset!("scripts/service.js"),
];

/// Assets of the upload and download pages.
const PUBLIC: &[Asset] = &[
    asset!("scripts/archive-path.js"),
    asset!("scripts/by-service.js"),
    asset!("scripts/by-store.js"),
    asset!("scripts/bytes.js"),
    asset!("scripts/chosen.js"),
    asset!("scripts/download.js"),
    asset!("scripts/envelope.js"),
    asset!("scripts/key.js"),
    asset!("scripts/local.js"),
    asset!("scripts/names.js"),
    asset!("scripts/payload.js"),
    asset!("scripts/preview.js"),
    asset!("scripts/progress.js"),
    asset!("scripts/put.js"),
    asset!("scripts/qr.js"),
    asset!("scripts/ready.js"),
    asset!("scripts/receive.js"),
    asset!("scripts/refusals.js"),
    asset!("scripts/saving.js"),
    asset!("scripts/sealed.js"),
    asset!("scripts/sealing.js"),
    asset!("scripts/send.js"),
    asset!("scripts/tar.js"),
    asset!("scripts/token.js"),
    asset!("scripts/upload.js"),
    asset!("scripts/watching.js"),
];

/// Assets of the admin page.
const ADMIN: &[Asset] = &[
    asset!("scripts/admin.js"),
    asset!("scripts/admin-call.js"),
    asset!("scripts/admin-confirm.js"),
    asset!("scripts/admin-new-token.js"),
    asset!("scripts/admin-overview.js"),
    asset!("scripts/admin-session.js"),
    asset!("scripts/admin-tokens.js"),
    asset!("scripts/admin-transfer.js"),
    asset!("scripts/amount.js"),
    asset!("scripts/plot.js"),
    asset!("scripts/timeline.js"),
];

/// Service worker that turns a stream of a page into a browser download; its scope is `/save/` only.
const WORKER: Asset = asset!("save/worker.js");

/// Web page of a service.
#[derive(Clone, Copy, Debug)]
pub(super) enum Page {
    /// Download page of a link.
    Receive,
    /// Upload page.
    Send,
    /// Admin page.
    Admin,
}

impl Page {
    const fn asset(self) -> &'static Asset {
        const RECEIVE: Asset = asset!("receive.html");
        const SEND: Asset = asset!("send.html");
        const ADMIN: Asset = asset!("admin.html");
        match self {
            Self::Receive => &RECEIVE,
            Self::Send => &SEND,
            Self::Admin => &ADMIN,
        }
    }

    /// Returns the response to a request for the page.
    pub(super) fn answer(self, app: &AppState, headers: &HeaderMap) -> Response {
        let mut response = self.asset().answer(headers);
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, app.page_policy.value());
        response
    }
}

/// Returns the routes of the page assets of a service.
pub(super) fn routes(service: ServiceName) -> Router<AppState> {
    let own = match service {
        ServiceName::Public => PUBLIC,
        ServiceName::Admin => ADMIN,
    };
    let file = async move |Path(name): Path<String>, headers: HeaderMap| -> Result<Response, ApiError> {
        let asset = SHARED.iter().chain(own).find(|asset| asset.name() == name);
        Ok(asset.ok_or(Error::RouteNotFound)?.answer(&headers))
    };
    let worker = async |State(app): State<AppState>, headers: HeaderMap| -> Response {
        let mut response = WORKER.answer(&headers);
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, app.page_policy.value());
        response.into_response()
    };
    let routes = Router::new().route("/web/{file}", get(file));
    match service {
        ServiceName::Public => routes.route("/save/worker.js", get(worker)),
        ServiceName::Admin => routes,
    }
}
