//! Integration tests of running services, over real sockets.

#![allow(clippy::unwrap_used, reason = "a failed precondition should fail the test at once")]

mod api;
mod audit;
mod cli;
mod format;
#[cfg(feature = "lambda")]
mod lambda;
mod limits;
mod net;
mod notifications;
mod storage;
mod support;
