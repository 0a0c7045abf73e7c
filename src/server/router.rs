//! The router of a service: its routes, documents and pages, inside the middleware.

use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use http::header::LOCATION;
use http::{Method, StatusCode, Uri};

use super::middleware::cors::Cors;
use super::net::base_path::BasePath;
use super::net::rate_limit::RateLimiter;
use super::settings::Settings;
use super::state::{App, AppState};
use super::{api, middleware, web};
use crate::domain::audit::ServiceName;
use crate::domain::base_url::BaseUrl;
use crate::domain::error::Error;
use api::error::ApiError;

/// First segments of the paths of all pages and documents, beside those of the route table.
const OTHER_SEGMENTS: [&str; 4] = ["web", "save", "docs", "openapi.json"];

/// Returns the base path that the service removes from the paths of requests.
///
/// `None` also for a path that begins as that of a route: such a request could mean either.
pub(super) fn base_path(service: ServiceName, settings: &Settings) -> Option<BasePath> {
    let base_path = BasePath::of(settings.own_url(service)?)?;
    let of_routes = api::routes::ROUTES.iter().filter_map(|route| route.template.split('/').nth(1));
    let is_ambiguous = base_path.begins_with_any(of_routes.filter(|segment| !segment.is_empty()).chain(OTHER_SEGMENTS));
    Some(base_path).filter(|_| !is_ambiguous)
}

/// Creates the router of a service; `limiter` is that of its listener.
pub(super) fn router(
    app: &Arc<App>,
    service: ServiceName,
    settings: &Settings,
    limiter: Option<Arc<RateLimiter>>,
) -> Router {
    let routes = match service {
        ServiceName::Public => api::public::routes(),
        ServiceName::Admin => api::admin::routes(),
    };
    let (handlers, mut document) = routes.split_for_parts();
    api::openapi::finish(&mut document, service, settings);
    let state = AppState(app.clone());
    let cors = match service {
        ServiceName::Public => Cors::new(settings.allow_origins.clone()),
        ServiceName::Admin => Cors::default(),
    };
    let https = settings.public_url.as_ref().is_some_and(BaseUrl::is_encrypted);
    let context = middleware::MiddlewareContext {
        app: state.clone(),
        service,
        timeouts: settings.timeouts,
        limiter,
        max_response_bytes: settings.max_response_bytes,
        cors,
        tls_at_proxy: https && service == ServiceName::Public,
        log_ids: settings.log_ids,
    };
    let base_path = base_path(service, settings);
    let not_found = async move |method: Method, uri: Uri| {
        let with_slash = base_path.as_ref().filter(|_| matches!(method, Method::GET | Method::HEAD));
        match with_slash.and_then(|base_path| base_path.with_slash(&uri)) {
            Some(target) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, target)]).into_response(),
            None => ApiError::from(Error::RouteNotFound).into_response(),
        }
    };
    handlers
        .merge(api::openapi::routes(&document, service, settings))
        .merge(web::routes(service))
        .fallback(not_found)
        .method_not_allowed_fallback(async || ApiError::from(Error::MethodNotAllowed))
        .layer(middleware::Stack::new(context))
        .with_state(state)
}
