//! `sgsend serve`: runs the services.

mod admin_key;
mod arguments;
pub(super) mod log;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub(super) use arguments::Arguments;

use self::arguments::Common;
use super::Printer;
use super::arguments::Global;
use super::exit::Exit;
use super::failure::Failure;
use crate::domain::audit::ServiceName;
use crate::domain::clock::SystemClock;
use crate::domain::error::chain;
use crate::domain::store::StoreError;
use crate::server::{Server, StartError, StorageLocation};

/// The public service's address, unless another is named.
const PUBLIC_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
/// The admin service's address, unless another is named.
const ADMIN_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8081);

/// One line of `serve --json`.
#[derive(Serialize)]
struct Listening<'a> {
    v: u8,
    event: &'a str,
    service: &'a str,
    url: &'a str,
}

/// Runs a service, or both, until SIGTERM or SIGINT.
pub(super) fn run(arguments: Arguments, global: &Global, printer: &Printer) -> anyhow::Result<()> {
    log::start(printer)?;
    let (listens, common) = arguments.which.split();
    let mut settings = common.settings()?;
    let in_bucket = matches!(settings.storage, StorageLocation::S3(_));
    let admin = listens.iter().find(|(service, _)| *service == ServiceName::Admin);
    if let Some((_, address)) = admin {
        // What others can reach, by the network or by its store, gets no key that only this user knows of.
        let for_this_user = address.ip().is_loopback() && !in_bucket;
        settings.admin_key = Some(admin_key::obtain(global, for_this_user, printer)?);
    }
    let encrypted = settings.tls.is_some();
    check_exposure(&listens, &common, encrypted, printer)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = stop_on_signal()?;
        // The addresses first: a service that cannot have its own must not touch the store.
        let mut listeners = Vec::new();
        for (service, address) in listens {
            listeners.push((service, bind(address).await?));
        }
        let server =
            Server::open(settings, Arc::new(SystemClock)).await.map_err(|error| why_not_started(&error, in_bucket))?;
        for (service, listener) in &listeners {
            announce(printer, *service, listener.local_addr()?, encrypted)?;
        }
        server.run(listeners, stop).await.map_err(|error| why_not_started(&error, in_bucket))?;
        Ok(())
    })
}

/// Refuses what is meant for this machine alone, and warns of what should not stand in the open.
fn check_exposure(
    listens: &[(ServiceName, SocketAddr)],
    common: &Common,
    encrypted: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    let open = listens.iter().any(|(_, address)| !address.ip().is_loopback());
    if open && common.loses_data() {
        let failure = Failure::usage("--durability none is for measurements on this machine only");
        return Err(failure.hint("leave it out, or listen on 127.0.0.1"));
    }
    if open && !encrypted {
        printer.warning("this service speaks plain http beyond this machine: give it --tls-cert and --tls-key, or a proxy that does TLS");
    }
    if !open && common.seems_proxied() {
        printer.warning(
            "a proxy seems to stand before this service: name it with --trusted-proxy, or all clients count as one",
        );
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let failure = Failure::new(Exit::Other, "cannot_listen", format!("cannot listen on {address}: {error}"));
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                failure.hint("something listens there already: choose another port, or 0 for a free one")
            }
            io::ErrorKind::PermissionDenied => failure.hint("ports below 1024 need a privilege: choose another one"),
            _ => failure.hint("name an address of this machine"),
        }
    })
}

fn announce(printer: &Printer, service: ServiceName, address: SocketAddr, encrypted: bool) -> io::Result<()> {
    let scheme = if encrypted { "https" } else { "http" };
    let (service, url) = (service.as_str(), format!("{scheme}://{address}"));
    if printer.is_json() {
        return printer.json(&Listening { v: 1, event: "listening", service, url: &url });
    }
    printer.note(&format!("{service} listening on {url}"));
    Ok(())
}

/// A token that is cancelled by the first SIGTERM or SIGINT.
fn stop_on_signal() -> io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopping.cancel();
    });
    Ok(stop)
}

/// Why a server did not start, with what to do about it.
pub(super) fn why_not_started(error: &StartError, in_bucket: bool) -> Failure {
    let message = chain(error);
    let (code, hint) = match error {
        StartError::Storage(source)
            if matches!(source.downcast_ref::<StoreError>(), Some(StoreError::UnfinishedCopy { .. })) =>
        {
            ("unfinished_copy", "run `sgsend store copy` to its end first, or name another storage")
        }
        StartError::NoAdminKey => {
            ("admin_key_missing", "set SGSEND_ADMIN_KEY_FILE to a file with 32 characters or more")
        }
        StartError::Storage(_) if in_bucket => {
            ("storage_unavailable", "check the bucket, its region and the credentials: sgsend doctor --storage s3://…")
        }
        StartError::Storage(_) => {
            ("storage_unavailable", "check that --storage names a folder that this user may write")
        }
        StartError::Tls(_) => {
            ("tls_unusable", "check that --tls-cert and --tls-key name a PEM certificate chain and its key")
        }
    };
    Failure::new(Exit::Other, code, message).hint(hint)
}
