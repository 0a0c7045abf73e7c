//! The router of a service: its routes, documents and pages, inside the middleware.

use std::sync::Arc;

use axum::Router;

use super::middleware::cors::Cors;
use super::net::rate_limit::RateLimiter;
use super::settings::Settings;
use super::state::{App, AppState};
use super::{api, middleware, web};
use crate::domain::audit::ServiceName;
use crate::domain::base_url::BaseUrl;
use crate::domain::error::Error;
use api::error::ApiError;

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
        cors,
        tls_at_proxy: https && service == ServiceName::Public,
        log_ids: settings.log_ids,
    };
    handlers
        .merge(api::openapi::routes(&document, service, settings))
        .merge(web::routes(service))
        .fallback(async || ApiError::from(Error::RouteNotFound))
        .method_not_allowed_fallback(async || ApiError::from(Error::MethodNotAllowed))
        .layer(middleware::Stack::new(context))
        .with_state(state)
}
