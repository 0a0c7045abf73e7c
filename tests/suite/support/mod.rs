//! Test support: services on free ports, API clients, home directories, proxies and stub servers.

mod acme_server;
mod api;
#[path = "../../support/blocking_proxy.rs"]
mod blocking_proxy;
#[path = "../../support/bucket.rs"]
pub(crate) mod bucket;
#[path = "../../support/buffering_proxy.rs"]
mod buffering_proxy;
mod connect_proxy;
mod content;
mod eventually;
#[path = "../../support/faulty_bucket.rs"]
mod faulty_bucket;
mod held_bucket;
#[path = "../../support/home.rs"]
mod home;
#[path = "../../support/in_process_server.rs"]
mod in_process_server;
#[cfg(feature = "lambda")]
#[path = "../../support/lambda/mod.rs"]
pub(crate) mod lambda;
#[path = "../../support/nginx.rs"]
mod nginx;
#[path = "../../support/not_run.rs"]
mod not_run;
mod partial_upload;
#[path = "../../support/recording_proxy.rs"]
mod recording_proxy;
#[path = "../../support/reserved_address.rs"]
mod reserved_address;
#[path = "../../support/server_process.rs"]
#[allow(dead_code, reason = "shared with other test binaries, which use more of it")]
mod server_process;
#[path = "../../support/small_disk.rs"]
mod small_disk;
mod socks;
pub(crate) mod stub;
mod terminal;
#[path = "../../support/tink.rs"]
mod tink;

pub(crate) use acme_server::AcmeServer;
pub(crate) use api::{Api, ApiResponse, Request};
pub(crate) use blocking_proxy::{BlockingProxy, Direction};
pub(crate) use buffering_proxy::BufferingProxy;
pub(crate) use connect_proxy::ConnectProxy;
pub(crate) use content::{content, overwrite};
pub(crate) use eventually::{eventually, wait_until};
pub(crate) use faulty_bucket::{Fault, FaultyBucket};
pub(crate) use held_bucket::HeldBucket;
pub(crate) use home::{FinishedCommand, Home, any_storage};
pub(crate) use in_process_server::{START, Service, Started, payload_file};
pub(crate) use nginx::Nginx;
pub(crate) use not_run::not_run;
pub(crate) use partial_upload::{start_partial_upload, wait_for_writer};
pub(crate) use recording_proxy::RecordingProxy;
pub(crate) use reserved_address::ReservedAddress;
pub(crate) use server_process::{ADMIN_KEY, ServerBuilder, ServerProcess, Serving};
pub(crate) use small_disk::SmallDisk;
pub(crate) use socks::{SOCKS_LOGIN, SocksProxy};
pub(crate) use terminal::Terminal;
pub(crate) use tink::{tink_open, tink_seal};
