//! Integration tests of running services, over real sockets.

#![allow(clippy::unwrap_used, reason = "a failed precondition should fail the test at once")]

mod anonymity;
mod audit;
mod browser_security;
mod cli;
mod disk_space;
mod downloads;
mod errors;
mod http;
mod http2;
mod lifecycle;
mod metrics;
mod openapi;
mod presigned;
mod proxies;
mod quotas;
mod rate_limits;
mod sessions;
mod sqlite_contention;
mod support;
mod tokens;
mod uploads;
