//! Middleware: what surrounds every handler.

pub(super) mod audit;
pub(super) mod cors;
pub(super) mod security_headers;
