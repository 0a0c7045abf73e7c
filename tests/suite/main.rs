//! Running services, spoken to over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to fail where it stands")]

mod anonymity;
mod audit;
mod cli;
mod downloads;
mod errors;
mod http;
mod lifecycle;
mod locked;
mod openapi;
mod presigned;
mod sessions;
mod support;
mod tokens;
mod uploads;
