//! `sgsend serve`: runs the services.

mod admin_key;
mod arguments;
pub(super) mod log;
mod variables;

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::pem;
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
use super::store::location::{check_not_foreign, unusable_folder};
use crate::domain::audit::ServiceName;
use crate::domain::clock::SystemClock;
use crate::domain::error::chain;
use crate::domain::store::StoreError;
use crate::server::{Server, StartError, StorageLocation, TlsError};

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
    for name in variables::unknown() {
        printer.warning(&format!("{name} is no setting of this version, and is ignored: check how it is written"));
    }
    let (listens, common) = arguments.which.split();
    let mut settings = common.settings()?;
    check_not_foreign(&settings.storage)?;
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

/// Why a server did not start, or a storage cannot be used, with what to do about it.
pub(super) fn why_not_started(error: &StartError, in_bucket: bool) -> Failure {
    match error {
        StartError::Storage(source) => why_no_storage(&**source, chain(error), in_bucket),
        StartError::NoAdminKey => Failure::new(Exit::Other, "admin_key_missing", chain(error))
            .hint("set SGSEND_ADMIN_KEY_FILE to a file with 32 characters or more"),
        StartError::Tls(error) => Failure::new(Exit::Other, "tls_unusable", why_no_tls(error))
            .hint("check that --tls-cert and --tls-key name a PEM certificate chain and its key"),
    }
}

/// A folder is a matter of this machine, and a bucket that does not answer one of the network; what either holds and this
/// version does not take is neither.
fn why_no_storage(source: &(dyn StdError + 'static), message: String, in_bucket: bool) -> Failure {
    let source = source.downcast_ref::<StoreError>();
    if let Some(StoreError::UnfinishedCopy { .. }) = source {
        return Failure::new(Exit::Other, "unfinished_copy", message)
            .hint("run `sgsend store copy` to its end first, or name another storage");
    }
    let failure = |exit, message| Failure::new(exit, "storage_unavailable", message);
    match source {
        Some(StoreError::Corrupt { .. } | StoreError::Unfit(_)) => failure(Exit::Other, message)
            .hint("use the version of sgsend that made it, or look at it with sgsend doctor --storage URL"),
        Some(_) if in_bucket => failure(Exit::Network, message)
            .retryable()
            .hint("check the bucket, its region and the credentials: sgsend doctor --storage s3://…"),
        _ => unusable_folder(message),
    }
}

/// Why TLS cannot be offered, without the words of libraries.
fn why_no_tls(error: &TlsError) -> String {
    match error {
        TlsError::Key(file, pem::Error::NoItemsFound) => format!("there is no private key in PEM in {file}"),
        TlsError::Pair(rustls::Error::NoCertificatesPresented) => {
            "there is no certificate in PEM in the file of --tls-cert".to_owned()
        }
        error => chain(error),
    }
}
