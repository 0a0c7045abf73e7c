//! Integration tests of running services, over real sockets.

#![allow(clippy::unwrap_used, reason = "a failed precondition should fail the test at once")]

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
