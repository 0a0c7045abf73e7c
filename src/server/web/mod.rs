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
use http::header::{CONTENT_SECURITY_POLICY, LOCATION};
use http::{HeaderMap, StatusCode, Uri};

use crate::domain::audit::ServiceName;
use crate::domain::error::Error;
use crate::server::api::error::ApiError;
use crate::server::state::AppState;
use asset::{Asset, asset};
pub(super) use policy::{Policy, store_origin};

/// Assets of all pages.
const SHARED: &[Asset] = &[
    asset!("icon.svg"),
    asset!("style.css"),
    asset!("scripts/api.js"),
    asset!("scripts/ui/clipboard.js"),
    asset!("scripts/ui/dom.js"),
    asset!("scripts/ui/format.js"),
    asset!("scripts/ui/labels.js"),
];

/// Assets of the upload and download pages.
const PUBLIC: &[Asset] = &[
    asset!("scripts/format/aead.js"),
    asset!("scripts/format/archive-index.js"),
    asset!("scripts/format/archive-path.js"),
    asset!("scripts/format/bytes.js"),
    asset!("scripts/format/envelope.js"),
    asset!("scripts/format/file-name.js"),
    asset!("scripts/format/key.js"),
    asset!("scripts/format/info.js"),
    asset!("scripts/format/link.js"),
    asset!("scripts/format/padding.js"),
    asset!("scripts/format/request-link.js"),
    asset!("scripts/format/sealed.js"),
    asset!("scripts/format/tar.js"),
    asset!("scripts/receive/archive.js"),
    asset!("scripts/receive/browser-errors.js"),
    asset!("scripts/receive/chooser.js"),
    asset!("scripts/receive/download.js"),
    asset!("scripts/receive/main.js"),
    asset!("scripts/receive/payload-reader.js"),
    asset!("scripts/receive/preview.js"),
    asset!("scripts/receive/recipient.js"),
    asset!("scripts/receive/save.js"),
    asset!("scripts/request/errors.js"),
    asset!("scripts/request/inbox.js"),
    asset!("scripts/request/main.js"),
    asset!("scripts/request/texts.js"),
    asset!("scripts/request/wrap-key.js"),
    asset!("scripts/send/links.js"),
    asset!("scripts/receive/tree.js"),
    asset!("scripts/send/main.js"),
    asset!("scripts/send/payload.js"),
    asset!("scripts/send/put.js"),
    asset!("scripts/send/selection.js"),
    asset!("scripts/send/service-upload.js"),
    asset!("scripts/send/status.js"),
    asset!("scripts/send/store-upload.js"),
    asset!("scripts/send/token-storage.js"),
    asset!("scripts/send/upload.js"),
    asset!("scripts/ui/browser-support.js"),
    asset!("scripts/ui/error-messages.js"),
    asset!("scripts/ui/progress.js"),
    asset!("scripts/ui/qr.js"),
    asset!("scripts/vendor/age-encryption/LICENSE.txt"),
    asset!("scripts/vendor/age-encryption/index.js"),
    asset!("scripts/vendor/client-zip/LICENSE.txt"),
    asset!("scripts/vendor/client-zip/index.js"),
];

/// Assets of the admin page.
const ADMIN: &[Asset] = &[
    asset!("scripts/admin/api.js"),
    asset!("scripts/admin/chart.js"),
    asset!("scripts/admin/confirm.js"),
    asset!("scripts/admin/edit-token.js"),
    asset!("scripts/admin/main.js"),
    asset!("scripts/admin/new-token.js"),
    asset!("scripts/admin/overview.js"),
    asset!("scripts/admin/parse.js"),
    asset!("scripts/admin/session.js"),
    asset!("scripts/admin/audit-record.js"),
    asset!("scripts/admin/tokens.js"),
    asset!("scripts/admin/transfer.js"),
    asset!("scripts/admin/transfers.js"),
];

/// Service worker that turns a stream of a page into a browser download; its scope is `/save/` only.
const WORKER: Asset = asset!("save/worker.js");

/// Web page of a service.
#[derive(Clone, Copy, Debug)]
pub(super) enum WebPage {
    /// Download page of a link.
    Receive,
    /// Upload page of guests, for a request.
    Request,
    /// Upload page.
    Send,
    /// Admin page.
    Admin,
}

impl WebPage {
    const fn asset(self) -> &'static Asset {
        const RECEIVE: Asset = asset!("receive.html");
        const REQUEST: Asset = asset!("request.html");
        const SEND: Asset = asset!("send.html");
        const ADMIN: Asset = asset!("admin.html");
        match self {
            Self::Receive => &RECEIVE,
            Self::Request => &REQUEST,
            Self::Send => &SEND,
            Self::Admin => &ADMIN,
        }
    }

    /// Returns the response to a request for the page.
    pub(super) fn response(self, app: &AppState, headers: &HeaderMap) -> Response {
        let mut response = self.asset().response(headers);
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
    let file = async move |Path(path): Path<String>, headers: HeaderMap| -> Result<Response, ApiError> {
        let asset = SHARED.iter().chain(own).find(|asset| asset.url_path() == path);
        Ok(asset.ok_or(Error::RouteNotFound)?.response(&headers))
    };
    let worker = async |State(app): State<AppState>, headers: HeaderMap| -> Response {
        let mut response = WORKER.response(&headers);
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, app.page_policy.value());
        response.into_response()
    };
    let routes = Router::new().route("/web/{*path}", get(file));
    match service {
        ServiceName::Public => routes
            .route("/save/worker.js", get(worker))
            .route("/d/{transfer_id}/", get(without_slash))
            .route("/r/{token_id}/", get(without_slash)),
        ServiceName::Admin => routes,
    }
}

/// Redirects a link that ends in a slash, as some programs change links. Browsers keep the fragment with the key.
///
/// The redirect is relative, since a proxy may strip a base path.
async fn without_slash(uri: Uri) -> Response {
    let id = uri.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, format!("../{id}"))]).into_response()
}
