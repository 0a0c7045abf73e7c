//! The `OpenAPI` document: `GET /openapi.json`, and its HTML rendering `GET /docs`.

pub(super) mod docs_page;
pub(super) mod extras;
mod schemas;

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, Info, License, OpenApi, Ref, RefOr, ResponseBuilder, Server};
use utoipa::{PartialSchema, ToSchema};

use crate::server::state::AppState;

use super::routes::{ROUTES, Route};
use crate::domain::audit::ServiceName;
use crate::domain::error::ErrorCode;
use crate::domain::store::to_json;
use crate::domain::wire::Problem;
use crate::server::settings::Settings;
use crate::server::web::html;

/// Adds service info, security schemes and error responses to the generated document.
pub(crate) fn finish(api: &mut OpenApi, service: ServiceName, settings: &Settings) {
    api.info = Info::new(format!("sgsend {}", service.as_str()), env!("CARGO_PKG_VERSION").to_owned());
    api.info.description = Some(description(service));
    api.info.license = Some(License::new("Apache-2.0"));
    // Relative to the address of the document, unless the operator has named the service's address.
    let url = settings.own_url(service).map_or_else(|| "/".to_owned(), ToString::to_string);
    api.servers = Some(vec![Server::new(url)]);
    let components = api.components.get_or_insert_with(Components::new);
    add_security(components, service, settings);
    components.schemas.insert("Problem".to_owned(), Problem::schema());
    components.schemas.insert("ErrorCode".to_owned(), ErrorCode::schema());
    let mut referenced = Vec::new();
    Problem::schemas(&mut referenced);
    components.schemas.extend(referenced);
    for route in ROUTES.iter().filter(|route| route.service == service) {
        if let Some(operation) = api.paths.paths.get_mut(route.template).and_then(|item| operation_of(item, route)) {
            add_error_responses(operation, route);
        }
    }
}

fn description(service: ServiceName) -> String {
    const VALUES: &str =
        "Times are milliseconds since the Unix epoch (UTC), sizes are bytes. Integers have no fraction or exponent.";
    const KEYS: &str = "Payloads are encrypted by clients. The link of a transfer contains its key behind the `#`, and \
        no request contains the key. The access proof is HKDF-SHA256 of the payload key, with an empty salt, the info \
        `sgsend/v1/access` and a length of 32 bytes, in 64 lower-case hex digits; without a passphrase, the payload \
        key is the 32-byte key of the link. `access_sha256` is the SHA-256 of the 32 bytes of the proof, in hex. A \
        grant is 32 random bytes in base64url without padding. The format of payloads and links, and all derivations \
        with worked examples, are in `docs/format.md` of the sources; `docs/api.md` describes the flows.";
    match service {
        ServiceName::Public => format!("{VALUES}\n\n{KEYS}"),
        ServiceName::Admin => format!(
            "{VALUES}\n\nRequests need the admin key in a header, or the cookie of a session. `docs/api.md` of the \
             sources describes both."
        ),
    }
}

fn operation_of<'a>(item: &'a mut PathItem, route: &Route) -> Option<&'a mut Operation> {
    match route.method {
        "GET" => item.get.as_mut(),
        "HEAD" => item.head.as_mut(),
        _ => item.post.as_mut(),
    }
}

fn add_security(components: &mut Components, service: ServiceName, settings: &Settings) {
    let name = settings.auth_name.as_str();
    let bearer = || HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let metrics_key = ("metrics_key", SecurityScheme::Http(bearer().build()));
    let schemes = match service {
        ServiceName::Public => {
            vec![metrics_key, ("sender_token", SecurityScheme::Http(bearer().bearer_format("sgs_…").build()))]
        }
        ServiceName::Admin => vec![
            metrics_key,
            ("admin_key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(name)))),
            ("admin_cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(name)))),
        ],
    };
    for (name, scheme) in schemes {
        components.add_security_scheme(name, scheme);
    }
}

/// Adds one response per HTTP status of the route's error codes; its description lists the codes.
fn add_error_responses(operation: &mut Operation, route: &Route) {
    let mut by_status = BTreeMap::<u16, BTreeSet<&str>>::new();
    for code in route.error_codes() {
        by_status.entry(route.status_of(code).as_u16()).or_default().insert(code.as_str());
    }
    for (status, codes) in by_status {
        let codes: Vec<String> = codes.into_iter().map(|code| format!("`{code}`")).collect();
        let problem = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build();
        let mut response =
            ResponseBuilder::new().description(codes.join(", ")).content("application/problem+json", problem).build();
        // Keeps the content annotated on the handler for the same status, such as an HTML page.
        if let Some(RefOr::T(own)) = operation.responses.responses.remove(&status.to_string()) {
            response.content.extend(own.content);
        }
        operation.responses.responses.insert(status.to_string(), RefOr::T(response));
    }
}

/// Creates the routes that serve the document and its HTML rendering, both rendered once.
pub(crate) fn routes(api: &OpenApi, service: ServiceName, settings: &Settings) -> Router<AppState> {
    let mut document = serde_json::from_slice(&to_json(api)).expect("serialised JSON is valid JSON");
    extras::add_details(&mut document, service, settings.limits.max_payload_bytes());
    let json: Bytes = to_json(&document);
    let docs = html::render("HTTP API", "", &docs_page::render(&document));
    Router::new()
        .route("/openapi.json", get(async move || ([(CONTENT_TYPE, "application/json")], json.clone()).into_response()))
        .route("/docs", get(async move || html::response(docs.clone())))
}
