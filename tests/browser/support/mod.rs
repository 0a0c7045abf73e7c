//! Test support: starts services and browsers.

mod appearance;
mod axe;
#[path = "../../support/blocking_proxy.rs"]
#[allow(dead_code, reason = "shared with other test binaries, which use more of it")]
mod blocking_proxy;
mod browser;
mod browser_permit;
mod content;
mod downloads;
mod driver;
mod elements;
#[path = "../../support/home.rs"]
#[allow(dead_code, reason = "shared with other test binaries, which use more of it")]
mod home;
mod interrupted;
#[cfg(feature = "lambda")]
#[path = "../../support/lambda/mod.rs"]
#[allow(dead_code, reason = "shared with other test binaries, which use more of it")]
pub(crate) mod lambda;
mod leftover_files;
mod network;
#[path = "../../support/nginx.rs"]
mod nginx;
#[path = "../../support/not_run.rs"]
mod not_run;
mod open_bucket;
mod page_errors;
#[path = "../../support/recording_proxy.rs"]
mod recording_proxy;
#[path = "../../support/reserved_address.rs"]
#[allow(dead_code, reason = "shared with other test binaries, which use more of it")]
mod reserved_address;
mod runs;
#[path = "../../support/server_process.rs"]
#[allow(dead_code, reason = "shared with other test binaries, which use more of it")]
mod server_process;
mod service;
mod startup_cache;
mod storage;
mod unused_browsers;

#[path = "../../support/bucket.rs"]
pub(crate) mod bucket;
#[path = "../../support/buffering_proxy.rs"]
mod buffering_proxy;
#[path = "../../support/tink.rs"]
mod tink;

pub(crate) use appearance::Theme;
pub(crate) use axe::{Axe, axe};
pub(crate) use blocking_proxy::{BlockingProxy, Direction};
pub(crate) use browser::{Browser, Kind};
pub(crate) use buffering_proxy::BufferingProxy;
pub(crate) use content::{content, png};
pub(crate) use home::{FinishedCommand, Home};
pub(crate) use leftover_files::LeftoverFiles;
pub(crate) use network::SentRequest;
pub(crate) use nginx::Nginx;
pub(crate) use not_run::not_run;
#[cfg(feature = "lambda")]
pub(crate) use open_bucket::open_bucket;
pub(crate) use recording_proxy::RecordingProxy;
pub(crate) use runs::{chromium, chromium_with_files, each, each_with_any_certificate, firefox};
pub(crate) use server_process::Serving;
pub(crate) use service::Service;
pub(crate) use tink::{tink_open, tink_seal};

/// Returns the cache folder of `tests/browsers.sh`.
pub(crate) fn cache() -> std::path::PathBuf {
    let named = std::env::var_os("SGSEND_BROWSERS_CACHE").map(Into::into);
    named.unwrap_or_else(|| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/browsers"))
}
