//! Reports the state of a service to the service manager.
//!
//! Source: `sd_notify(3)`. `NOTIFY_SOCKET` names the manager's datagram socket, by path or, behind an `@`, in the abstract
//! namespace of Linux. Without the variable, nothing is sent.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Sends states to the service manager.
#[derive(Debug, Default)]
pub(super) struct Notifier {
    target: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
    /// The last status, once the service is ready.
    status: OnceLock<String>,
}

impl Notifier {
    /// Creates the notifier that the environment describes.
    pub(super) fn from_environment() -> Self {
        let is_for_us = env::var("WATCHDOG_PID").map_or(true, |id| id.parse() == Ok(std::process::id()));
        let watchdog = env::var("WATCHDOG_USEC").ok().filter(|_| is_for_us).and_then(|text| text.parse().ok());
        Self::new(env::var_os("NOTIFY_SOCKET"), watchdog.map(Duration::from_micros))
    }

    fn new(socket: Option<OsString>, watchdog: Option<Duration>) -> Self {
        let target = socket.filter(|name| !name.is_empty()).and_then(|name| {
            open(&name).inspect_err(|error| tracing::warn!(%error, "cannot notify the service manager")).ok()
        });
        let watchdog = watchdog.filter(|interval| target.is_some() && !interval.is_zero());
        Self { target, watchdog, status: OnceLock::new() }
    }

    /// Reports that the service is ready, with a line for people.
    pub(super) fn ready(&self, status: String) {
        let status = self.status.get_or_init(|| status);
        self.send(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// Reports that the service reloads its files, and is ready again. A service that starts reads them anyway.
    pub(super) fn reload(&self, reload: impl FnOnce()) {
        let Some(status) = self.status.get() else { return reload() };
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
        reload();
        self.send(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// Reports that the service stops.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=finishing requests in progress\n");
    }

    /// Tells the manager that the service is alive, at half of the interval that the manager waits. Never returns.
    pub(super) async fn watch(&self) {
        let Some(interval) = self.watchdog else { return std::future::pending().await };
        let mut ticks = tokio::time::interval(interval / 2);
        loop {
            ticks.tick().await;
            self.send("WATCHDOG=1\n");
        }
    }

    fn send(&self, message: &str) {
        let Some((socket, address)) = &self.target else { return };
        if let Err(error) = socket.send_to_addr(message.as_bytes(), address) {
            tracing::debug!(%error, "cannot notify the service manager");
        }
    }
}

fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => in_abstract_namespace(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold up the service.
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

#[cfg(target_os = "linux")]
fn in_abstract_namespace(name: &[u8]) -> io::Result<SocketAddr> {
    <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn in_abstract_namespace(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn states_arrive_at_a_path_and_in_the_abstract_namespace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let mut managers = vec![(path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap())];
        #[cfg(target_os = "linux")]
        {
            let name = format!("sgsend-test-{}", std::process::id());
            let address = in_abstract_namespace(name.as_bytes()).unwrap();
            managers.push((format!("@{name}").into(), UnixDatagram::bind_addr(&address).unwrap()));
        }
        for (name, manager) in managers {
            let notifier = Notifier::new(Some(name), None);
            let ready = "READY=1\nSTATUS=public on http://127.0.0.1:8080\n";
            notifier.reload(|| {});
            notifier.ready("public on http://127.0.0.1:8080".to_owned());
            assert_eq!(received(&manager), ready, "a starting service is not ready again");
            notifier.reload(|| {});
            let text = received(&manager);
            let micros = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
            assert!(micros.parse::<u64>().unwrap() > 0);
            assert_eq!(received(&manager), ready);
            notifier.stopping();
            assert!(received(&manager).starts_with("STOPPING=1\n"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_fed_at_half_of_its_interval_only_if_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let fed_within = async |notifier: Notifier, seconds| {
            let _ = tokio::time::timeout(Duration::from_secs(seconds), notifier.watch()).await;
            std::iter::from_fn(|| manager.recv(&mut [0; 64]).ok()).count()
        };
        let notifier = |seconds| Notifier::new(Some(path.clone().into()), seconds);
        assert_eq!(fed_within(notifier(Some(Duration::from_secs(10))), 12).await, 3);
        assert_eq!(fed_within(notifier(None), 12).await, 0);
        assert_eq!(fed_within(notifier(Some(Duration::ZERO)), 12).await, 0);
    }

    #[test]
    fn without_a_manager_nothing_is_sent() {
        for name in [None, Some(OsString::new()), Some("/no/such/socket".into())] {
            let notifier = Notifier::new(name, Some(Duration::from_secs(1)));
            notifier.ready("x".to_owned());
            notifier.stopping();
        }
    }
}
