//! Running services, spoken to over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to fail where it stands")]

mod anonymity;
mod audit;
mod browsers;
mod cli;
mod downloads;
mod errors;
mod http;
mod http2;
mod lifecycle;
mod locked;
mod metrics;
mod openapi;
mod presigned;
mod proxies;
mod quotas;
mod rates;
mod room;
mod sessions;
mod support;
mod tokens;
mod uploads;
