//! The HTTP API: routes, extractors, handlers and the error table.

pub(super) mod admin;
pub(super) mod error;
pub(super) mod error_status;
pub(super) mod extract;
pub(super) mod health;
pub(super) mod metrics;
pub(super) mod openapi;
pub(super) mod paging;
pub(super) mod public;
pub mod range;
pub(super) mod routes;
