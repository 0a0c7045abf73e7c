//! `sgsend serve`: runs the public service, the admin service, or both.

mod acme;
mod admin_key;
mod argument_values;
mod arguments;
mod branding;
pub(crate) mod lambda;
mod listen;
pub(crate) mod log;
mod metrics_key;
mod monitoring;
mod notifications;
mod notify;
mod proxy_arguments;
mod signals;
mod sockets;
mod variables;

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem;
use serde::Serialize;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) use arguments::Arguments;

use self::arguments::CommonArguments;
use self::listen::ListenAddress;
use self::log::LogFormat;
use self::notify::Notifier;
use self::sockets::Endpoint;
use super::store::location::{check_not_foreign, newer_layout, unusable_folder};
use crate::cli::Printer;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::global::GlobalOptions;
use crate::domain::address::is_loopback;
use crate::domain::audit::ServiceName;
use crate::domain::clock::SystemClock;
use crate::domain::crypto::key_proof;
use crate::domain::error::chain;
use crate::domain::store::StoreError;
use crate::server::{DroppedLines, Server, StartError, TlsError};

/// Default listen address of the public service.
const PUBLIC_LISTEN: ListenAddress = ListenAddress::Network(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080));
/// Default listen address of the admin service.
const ADMIN_LISTEN: ListenAddress = ListenAddress::Network(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081));

/// An output line of `serve --json`.
#[derive(Serialize)]
struct Listening<'a> {
    v: u8,
    event: &'a str,
    service: &'a str,
    url: &'a str,
}

/// Runs a service, or both, until SIGTERM or SIGINT; a second one ends the process at once. SIGHUP reloads.
pub(crate) fn run(
    arguments: Arguments,
    global: &GlobalOptions,
    command_line: &clap::Command,
    printer: &Printer,
) -> anyhow::Result<()> {
    let (addresses, common) = arguments.services.split();
    let format = common.monitoring.log_format();
    let dropped_lines = DroppedLines::default();
    // A function is frozen between its requests, and with it a thread that writes the log.
    let _log = if lambda::is_runtime() {
        log::start(format, printer)?;
        None
    } else {
        Some(log::start_queued(format, printer, dropped_lines.clone())?)
    };
    let logging = printer.to_log();
    let printer = if format == LogFormat::Json { &logging } else { printer };
    for name in variables::unknown(command_line) {
        printer.warning(&format!("{name} is not a setting of this version and is ignored: check its spelling"));
    }
    if lambda::is_runtime() {
        return lambda::run(&addresses, &common, global, printer);
    }
    lambda::check_no_secret()?;
    let mut settings = common.settings()?;
    settings.dropped_lines = dropped_lines;
    common.acme.apply(&mut settings, global.ca_file.as_deref())?;
    common.notifications.apply(&mut settings, global.ca_file.as_deref())?;
    check_not_foreign(&settings.storage)?;
    let is_remote = settings.storage.is_remote();
    let endpoints = sockets::inherit(addresses)?;
    let mut generated_key = None;
    if endpoints.iter().any(|(service, _)| *service == ServiceName::Admin) {
        // A key is generated only if neither the listener nor the store is reachable from other machines.
        let is_open = endpoints.iter().any(|(service, endpoint)| *service == ServiceName::Admin && endpoint.is_open());
        let loaded = admin_key::load(global, !is_open && !is_remote, printer)?;
        settings.admin_key = Some(loaded.key);
        generated_key = loaded.generated;
    }
    settings.metrics_key = metrics_key::load(common.monitoring.metrics_key_file(), settings.admin_key.as_ref())?;
    check_exposure(&endpoints, &common, settings.has_certificate(), printer)?;
    if settings.metrics_key.is_none()
        && common.monitoring.metrics_listen().is_some_and(|address| !is_loopback(address.ip()))
    {
        printer.warning("other machines can read the metrics: use --metrics-key-file, or a loopback address");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (stop, reload) = (CancellationToken::new(), Arc::new(Notify::new()));
        let notifier = Arc::new(Notifier::from_environment());
        signals::handle(&stop, &notifier, on_reload(&notifier, &reload, common.config_file()))?;
        // Bind before opening: a service that cannot bind its address must not touch the store.
        let (mut listeners, mut urls, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for (service, endpoint) in endpoints {
            let open = endpoint.open(common.socket_mode()).await?;
            let is_encrypted = settings.is_encrypted(service, open.address);
            if let (Some(key), Some(address)) =
                (generated_key.as_ref().filter(|_| service == ServiceName::Admin), open.address)
                && let Err(error) = key.record_origin(&key_proof::origin(is_encrypted, address))
            {
                let file = key.file().display();
                printer.warning(&format!("commands of this user will not send the admin key to this service: cannot record its address beside {file}: {error}"));
            }
            let scheme = if is_encrypted { "https" } else { "http" };
            urls.push((service.as_str(), open.address.map_or(open.name, |address| format!("{scheme}://{address}"))));
            listeners.push((service, open.socket));
            files.extend(open.file);
        }
        let metrics_listener = match common.monitoring.metrics_listen() {
            Some(address) => Some(sockets::bind(address).await?),
            None => None,
        };
        if let Some(listener) = &metrics_listener {
            urls.push(("metrics", format!("http://{}/metrics", listener.local_addr()?)));
        }
        let server =
            Server::open(settings, Arc::new(SystemClock)).await.map_err(|error| start_failure(&error, is_remote))?;
        if let Some((origin, secret)) =
            server.new_webhook().await.map_err(|error| start_failure(&error, is_remote))?
        {
            printer.note(&format!("secret of the webhook at {origin}, shown only once: {}", *secret));
        }
        let server = server.reload_on(reload).metrics_on(metrics_listener);
        for (service, url) in &urls {
            announce(format, printer, service, url)?;
        }
        let status: Vec<_> = urls.iter().map(|(service, url)| format!("{service} on {url}")).collect();
        notifier.ready(status.join(", "));
        let running = server.run(listeners, stop);
        tokio::select! {
            outcome = running => outcome.map_err(|error| start_failure(&error, is_remote))?,
            () = notifier.watch() => unreachable!("the watchdog is fed until the end"),
        }
        // Nobody listens any more.
        drop(files);
        Ok(())
    })
}

/// Returns what SIGHUP does: loads the certificate again, and says that other settings need a restart.
fn on_reload(notifier: &Arc<Notifier>, reload: &Arc<Notify>, config_file: Option<&Path>) -> impl Fn() + Send + 'static {
    let (notifier, reload) = (notifier.clone(), reload.clone());
    let read = |path: &Path| std::fs::read(path).ok();
    let config = config_file.map(|path| (path.to_owned(), read(path)));
    move || {
        notifier.reload(|| reload.notify_one());
        if let Some((path, content)) = &config
            && read(path) != *content
        {
            tracing::warn!(file = %path.display(), "the configuration has changed: restart the service to apply it");
        }
    }
}

/// Rejects `--durability none` on reachable listeners. Warns about plain http and a missing `--trusted-proxy`.
fn check_exposure(
    endpoints: &[(ServiceName, Endpoint)],
    common: &CommonArguments,
    encrypted: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    let open = endpoints.iter().any(|(_, endpoint)| endpoint.is_open());
    if open && common.loses_data() {
        let failure = Failure::usage("--durability none is for benchmarks on this machine only");
        return Err(failure.hint("omit the flag, or listen on 127.0.0.1"));
    }
    if open && !encrypted {
        printer.warning(
            "this service serves plain http to other machines: use --acme-domain, or --tls-cert and --tls-key, or a TLS proxy",
        );
    }
    if !open && common.seems_proxied() {
        printer.warning(
            "this service seems to be behind a proxy: name it with --trusted-proxy, so that its clients do not share one rate limit",
        );
    }
    Ok(())
}

/// Prints the URL of a service to stdout with `--json`, otherwise to stderr, in the format of the log.
fn announce(format: LogFormat, printer: &Printer, service: &str, url: &str) -> io::Result<()> {
    if printer.is_json() {
        return printer.json(&Listening { v: 1, event: "listening", service, url });
    }
    match format {
        LogFormat::Text => printer.note(&format!("{service} listening on {url}")),
        LogFormat::Json => tracing::info!(service, url, "listening"),
    }
    Ok(())
}

/// Converts the error of a server that cannot start, or of an unusable storage, to a failure.
pub(crate) fn start_failure(error: &StartError, is_remote: bool) -> Failure {
    match error {
        StartError::Notifications(_) => Failure::new(Exit::Other, "notifications_unusable", chain(error))
            .hint("check the CA certificates of --ca-file, and the URL of --smtp-url"),
        StartError::Storage(source) => storage_failure(&**source, chain(error), is_remote),
        StartError::Listener(_) => Failure::new(Exit::Other, "cannot_listen", chain(error)),
        StartError::NoAdminKey => Failure::new(Exit::Other, "admin_key_missing", chain(error))
            .hint("set SGSEND_ADMIN_KEY_FILE to a file that contains a key of at least 32 characters"),
        StartError::Tls(error) => Failure::new(Exit::Other, "tls_unusable", tls_message(error))
            .hint("check that --tls-cert and --tls-key name a PEM certificate chain and its key"),
    }
}

/// Converts a storage error to a failure.
///
/// A folder that cannot be accessed is a local file error, and a bucket that cannot be accessed a network error. Content
/// that cannot be read and backends that cannot be used have exit status 1.
fn storage_failure(source: &(dyn StdError + 'static), message: String, is_remote: bool) -> Failure {
    if let Some(newer) = newer_layout(source) {
        return newer;
    }
    let source = source.downcast_ref::<StoreError>();
    if let Some(StoreError::IncompleteCopy { .. }) = source {
        return Failure::new(Exit::Other, "unfinished_copy", message)
            .hint("finish the copy with `sgsend store copy`, or name another storage");
    }
    let failure = |exit, message| Failure::new(exit, "storage_unavailable", message);
    match source {
        Some(StoreError::Corrupt { .. }) => failure(Exit::Other, message).hint(
            "use the version of sgsend that created the storage, or check the storage with sgsend doctor --storage URL",
        ),
        Some(StoreError::Unusable(_)) => {
            failure(Exit::Other, message).hint("check the storage with sgsend doctor --storage URL")
        }
        Some(_) if is_remote => failure(Exit::Network, message)
            .retryable()
            .hint("check the bucket, its region and the credentials: sgsend doctor --storage s3://…"),
        _ => unusable_folder(message),
    }
}

/// Returns the message of a TLS error. Rewords the TLS library's messages about files without a key or certificate.
fn tls_message(error: &TlsError) -> String {
    match error {
        TlsError::Key(file, pem::Error::NoItemsFound) => format!("no PEM private key in {file}"),
        TlsError::Pair(rustls::Error::NoCertificatesPresented) => {
            "no PEM certificate in the file of --tls-cert".to_owned()
        }
        error => chain(error),
    }
}
