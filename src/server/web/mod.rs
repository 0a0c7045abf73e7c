//! Web pages and their assets, built into the program.
//!
//! No page contains data of a user or transfer: its scripts request data from the API. Pages are rendered when the
//! server starts, once for each language, with the branding; assets are served unmodified.

mod asset;
pub(super) mod branding;
mod catalogue;
mod file;
pub(super) mod html;
mod language;
mod modules;
mod policy;
mod template;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

use crate::domain::audit::ServiceName;
use crate::domain::error::Error;
use crate::server::api::error::ApiError;
use crate::server::state::AppState;
use asset::{Asset, asset};
use branding::Branding;
use catalogue::Catalogue;
use file::WebFile;
use language::Language;
pub(super) use policy::{Policy, store_origin};
use template::PageTemplate;

/// Assets of all pages.
const SHARED: &[Asset] = &[
    asset!("icon.svg"),
    asset!("style.css"),
    asset!("scripts/api.js"),
    asset!("scripts/ui/clipboard.js"),
    asset!("scripts/ui/controls.js"),
    asset!("scripts/ui/dom.js"),
    asset!("scripts/ui/format.js"),
    asset!("scripts/ui/labels.js"),
    asset!("scripts/ui/text.js"),
];

/// Assets of the upload and download pages.
const PUBLIC: &[Asset] = &[
    asset!("player.css"),
    asset!("scripts/format/aead.js"),
    asset!("scripts/format/archive-index.js"),
    asset!("scripts/format/archive-path.js"),
    asset!("scripts/format/bytes.js"),
    asset!("scripts/format/envelope.js"),
    asset!("scripts/format/file-name.js"),
    asset!("scripts/format/info.js"),
    asset!("scripts/format/key.js"),
    asset!("scripts/format/link.js"),
    asset!("scripts/format/padding.js"),
    asset!("scripts/format/request-link.js"),
    asset!("scripts/format/sealed.js"),
    asset!("scripts/format/tar.js"),
    asset!("scripts/receive/archive.js"),
    asset!("scripts/receive/chooser.js"),
    asset!("scripts/receive/download.js"),
    asset!("scripts/receive/file.js"),
    asset!("scripts/receive/main.js"),
    asset!("scripts/receive/payload-reader.js"),
    asset!("scripts/receive/pdf-preview.js"),
    asset!("scripts/receive/player.js"),
    asset!("scripts/receive/preview-kind.js"),
    asset!("scripts/receive/preview.js"),
    asset!("scripts/receive/recipient.js"),
    asset!("scripts/receive/run.js"),
    asset!("scripts/receive/save-content.js"),
    asset!("scripts/receive/save.js"),
    asset!("scripts/receive/signature.js"),
    asset!("scripts/request/errors.js"),
    asset!("scripts/request/inbox.js"),
    asset!("scripts/request/main.js"),
    asset!("scripts/request/upload.js"),
    asset!("scripts/request/wrap-key.js"),
    asset!("scripts/receive/tree.js"),
    asset!("scripts/receive/unshowable.js"),
    asset!("scripts/send/dialogs.js"),
    asset!("scripts/send/drop-zone.js"),
    asset!("scripts/send/links.js"),
    asset!("scripts/send/main.js"),
    asset!("scripts/send/mine.js"),
    asset!("scripts/send/options.js"),
    asset!("scripts/send/payload.js"),
    asset!("scripts/send/put.js"),
    asset!("scripts/send/result.js"),
    asset!("scripts/send/selection.js"),
    asset!("scripts/send/service-upload.js"),
    asset!("scripts/send/status.js"),
    asset!("scripts/send/store-upload.js"),
    asset!("scripts/send/tabs.js"),
    asset!("scripts/send/token-storage.js"),
    asset!("scripts/send/token.js"),
    asset!("scripts/send/upload.js"),
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
    asset!("scripts/admin/fields.js"),
    asset!("scripts/admin/history.js"),
    asset!("scripts/admin/lookup.js"),
    asset!("scripts/admin/main.js"),
    asset!("scripts/admin/new-token.js"),
    asset!("scripts/admin/overview.js"),
    asset!("scripts/admin/parse.js"),
    asset!("scripts/admin/session.js"),
    asset!("scripts/admin/settings.js"),
    asset!("scripts/admin/audit-record.js"),
    asset!("scripts/admin/tokens.js"),
    asset!("scripts/admin/transfer.js"),
    asset!("scripts/admin/transfers.js"),
    asset!("scripts/admin/webhooks.js"),
    asset!("scripts/admin/when.js"),
];

/// Assets of the frame that draws PDF files. Its origin is opaque, so its scripts are requests of another origin.
const PDF_FRAME: &[Asset] = &[
    asset!("scripts/pdf/frame.html"),
    asset!("scripts/pdf/frame.js"),
    asset!("scripts/vendor/pdfjs-dist/LICENSE.txt"),
    asset!("scripts/vendor/pdfjs-dist/pdf.min.mjs"),
    asset!("scripts/vendor/pdfjs-dist/pdf.worker.min.mjs"),
];

/// Content security policy of that frame: the scripts of this service, and no request.
const PDF_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; script-src 'self'; sandbox allow-scripts; frame-ancestors 'self'");

/// Service worker that turns a stream of a page into a browser download; its scope is `/save/` only.
const WORKER: Asset = asset!("save/worker.js");

/// Content security policy of a logo: an SVG may have styles, but neither scripts nor requests.
const LOGO_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

/// Web page of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WebPage {
    /// Download page of a link.
    Receive,
    /// Upload page of guests, for a request.
    Request,
    /// Upload page.
    Send,
    /// Admin page.
    Admin,
    /// Form for the admin key, for browsers without the admin page.
    SignIn,
}

impl WebPage {
    const EACH: [Self; 5] = [Self::Receive, Self::Request, Self::Send, Self::Admin, Self::SignIn];

    const fn template(self) -> &'static Asset {
        const RECEIVE: Asset = asset!("receive.html");
        const REQUEST: Asset = asset!("request.html");
        const SEND: Asset = asset!("send.html");
        const ADMIN: Asset = asset!("admin.html");
        const SIGN_IN: Asset = asset!("sign-in.html");
        match self {
            Self::Receive => &RECEIVE,
            Self::Request => &REQUEST,
            Self::Send => &SEND,
            Self::Admin => &ADMIN,
            Self::SignIn => &SIGN_IN,
        }
    }

    /// Returns the relative path from the page to the root of the service.
    const fn root(self) -> &'static str {
        match self {
            Self::Receive | Self::Request | Self::SignIn => "../",
            Self::Send | Self::Admin => "",
        }
    }

    /// Returns the URL path of the page's script below `web/`; `None` if its template names it.
    const fn script(self) -> Option<&'static str> {
        match self {
            Self::Receive => Some("receive/main.js"),
            Self::Request => Some("request/main.js"),
            Self::Send => Some("send/main.js"),
            Self::Admin => Some("admin/main.js"),
            Self::SignIn => None,
        }
    }

    /// Returns the groups of texts that the page's scripts use.
    const fn groups(self) -> &'static [&'static str] {
        match self {
            Self::Receive => &["common", "error", "receive"],
            Self::Request => &["common", "error", "request"],
            Self::Send => &["common", "error", "event", "inbox", "send", "state"],
            Self::Admin => &["admin", "common", "error", "event", "state"],
            Self::SignIn => &["admin", "common", "error"],
        }
    }

    /// Returns the response to a request for the page.
    pub(super) fn response(self, app: &AppState, headers: &HeaderMap) -> Response {
        let page = app.pages.pages.get(&(self, Language::of(headers))).expect("each page has each language");
        let mut response = page.response(headers);
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, app.page_policy.value());
        response
    }
}

/// Pages of both services in all languages, and the files of the branding.
#[derive(Debug)]
pub(super) struct RenderedPages {
    pages: BTreeMap<(WebPage, Language), WebFile>,
    logo: Option<WebFile>,
    stylesheet: Option<WebFile>,
}

impl RenderedPages {
    /// Renders all pages.
    pub(super) fn new(branding: &Branding) -> Self {
        let assets: Vec<&'static Asset> = SHARED.iter().chain(PUBLIC).chain(ADMIN).collect();
        let scripts = WebPage::EACH.map(|page| {
            let scripts = page.script().map_or_else(Vec::new, |script| modules::with_imports(script, &assets));
            (page, scripts)
        });
        let mut pages = BTreeMap::new();
        for language in Language::EACH {
            let catalogue = Catalogue::of(language);
            for (page, scripts) in &scripts {
                let template =
                    PageTemplate { html: page.template().text(), root: page.root(), scripts, groups: page.groups() };
                let html = Bytes::from(template.render(language, &catalogue, branding));
                let media_type = HeaderValue::from_static("text/html; charset=utf-8");
                let file = WebFile::new(html, media_type, "accept-encoding, accept-language, cookie");
                pages.insert((*page, language), file);
            }
        }
        let logo = branding
            .logo
            .as_ref()
            .map(|logo| WebFile::new(logo.content(), HeaderValue::from_static(logo.media_type()), "accept-encoding"));
        let stylesheet = branding.accent.map(|accent| {
            let media_type = HeaderValue::from_static("text/css; charset=utf-8");
            WebFile::new(accent.stylesheet().into(), media_type, "accept-encoding")
        });
        Self { pages, logo, stylesheet }
    }
}

/// Assets of a service by URL path.
fn assets(service: ServiceName) -> &'static BTreeMap<&'static str, WebFile> {
    type Files = LazyLock<BTreeMap<&'static str, WebFile>>;
    static OF_PUBLIC: Files = Files::new(|| files(SHARED.iter().chain(PUBLIC)));
    static OF_ADMIN: Files = Files::new(|| files(SHARED.iter().chain(ADMIN)));
    match service {
        ServiceName::Public => &OF_PUBLIC,
        ServiceName::Admin => &OF_ADMIN,
    }
}

fn files(assets: impl IntoIterator<Item = &'static Asset>) -> BTreeMap<&'static str, WebFile> {
    assets.into_iter().map(|asset| (asset.url_path(), asset.file())).collect()
}

/// Returns the routes of the page assets of a service.
pub(super) fn routes(service: ServiceName) -> Router<AppState> {
    let file = async move |State(app): State<AppState>, Path(path): Path<String>, headers: HeaderMap| {
        web_file(&app, service, &path, &headers).ok_or(ApiError::from(Error::RouteNotFound))
    };
    let worker = async |State(app): State<AppState>, headers: HeaderMap| -> Response {
        static FILE: LazyLock<WebFile> = LazyLock::new(|| WORKER.file());
        let mut response = FILE.response(&headers);
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

/// Returns the response with a file of a service's pages; `None` if there is none at this path.
fn web_file(app: &AppState, service: ServiceName, path: &str, headers: &HeaderMap) -> Option<Response> {
    static OF_PDF_FRAME: LazyLock<BTreeMap<&'static str, WebFile>> = LazyLock::new(|| files(PDF_FRAME));
    let frame = if service == ServiceName::Public { OF_PDF_FRAME.get(path) } else { None };
    let mut response = match path {
        "logo" => app.pages.logo.as_ref()?,
        "brand.css" => app.pages.stylesheet.as_ref()?,
        _ => frame.or_else(|| assets(service).get(path))?,
    }
    .response(headers);
    let response_headers = response.headers_mut();
    if path == "logo" {
        response_headers.insert(CONTENT_SECURITY_POLICY, LOGO_POLICY);
    } else if frame.is_some() {
        response_headers.insert(CONTENT_SECURITY_POLICY, PDF_POLICY);
        response_headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    Some(response)
}

/// Redirects a link that ends in a slash, as some programs change links. Browsers keep the fragment with the key.
///
/// The redirect is relative, since a proxy may strip a base path.
async fn without_slash(uri: Uri) -> Response {
    let id = uri.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, format!("../{id}"))]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_is_rendered_in_each_language() {
        let rendered = RenderedPages::new(&Branding::default());
        assert_eq!(rendered.pages.len(), WebPage::EACH.len() * Language::EACH.len());
        assert!(rendered.logo.is_none() && rendered.stylesheet.is_none());
    }
}
