//! Sockets that the service manager passes to this process.
//!
//! Source: `sd_listen_fds(3)`. `LISTEN_PID` names this process, `LISTEN_FDS` the number of sockets from descriptor 3 on,
//! and `LISTEN_FDNAMES` their names.

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

use super::Endpoint;
use crate::cli::commands::serve::listen::ListenAddress;
use crate::cli::failure::Failure;
use crate::domain::audit::ServiceName;
use crate::server::ServiceSocket;

/// A socket that this process has inherited.
pub(in crate::cli::commands::serve) enum InheritedSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl InheritedSocket {
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// Returns the name of a Unix socket.
    pub(super) fn name(&self) -> String {
        let path = |listener: &UnixListener| listener.local_addr().ok()?.as_pathname().map(ToOwned::to_owned);
        match self {
            Self::Tcp(_) => String::new(),
            Self::Unix(listener) => {
                path(listener).map_or("unix:".to_owned(), |path| format!("unix:{}", path.display()))
            }
        }
    }

    pub(super) fn open(self) -> io::Result<ServiceSocket> {
        match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                tokio::net::TcpListener::from_std(listener).map(Into::into)
            }
            Self::Unix(listener) => {
                listener.set_nonblocking(true)?;
                tokio::net::UnixListener::from_std(listener).map(Into::into)
            }
        }
    }
}

/// Returns where the services listen: at inherited sockets or, without one, at their addresses.
///
/// # Errors
/// A usage error for a socket that is no stream socket, or that belongs to no service.
pub(in crate::cli::commands::serve) fn inherit(
    addresses: Vec<(ServiceName, ListenAddress)>,
) -> Result<Vec<(ServiceName, Endpoint)>, Failure> {
    let services: Vec<_> = addresses.iter().map(|(service, _)| *service).collect();
    let mut endpoints = Vec::new();
    let is_ours = env::var("LISTEN_PID").is_ok_and(|id| id.parse() == Ok(std::process::id()));
    if is_ours {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut sockets = ListenFd::from_env();
        for index in 0..sockets.len() {
            let name = names.split(':').nth(index).unwrap_or_default();
            let service = service_of(&services, name, index)?;
            endpoints.push((service, Endpoint::Inherited(take(&mut sockets, index)?)));
        }
    }
    for (service, address) in addresses {
        if !endpoints.iter().any(|(other, _)| *other == service) {
            endpoints.push((service, Endpoint::Address(address)));
        }
    }
    Ok(endpoints)
}

/// Returns the service of a socket: the only one, or that of its name or position.
///
/// The position counts for sockets with the default name.
fn service_of(services: &[ServiceName], name: &str, index: usize) -> Result<ServiceName, Failure> {
    if let &[service] = services {
        return Ok(service);
    }
    let named = services.iter().find(|service| service.as_str() == name);
    let is_unnamed = matches!(name, "" | "unknown");
    named.or_else(|| services.get(index).filter(|_| is_unnamed)).copied().ok_or_else(|| {
        Failure::usage(format!("the inherited socket {} belongs to no service: its name is {name:?}", index + 1))
            .hint("set FileDescriptorName= of the socket unit to public or admin")
    })
}

fn take(sockets: &mut ListenFd, index: usize) -> Result<InheritedSocket, Failure> {
    if let Ok(Some(listener)) = sockets.take_tcp_listener(index) {
        return Ok(InheritedSocket::Tcp(listener));
    }
    if let Ok(Some(listener)) = sockets.take_unix_listener(index) {
        return Ok(InheritedSocket::Unix(listener));
    }
    Err(Failure::usage(format!("the inherited socket {} is no stream socket", index + 1))
        .hint("use ListenStream= in the socket unit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_belongs_to_the_service_of_its_name_or_position() {
        use ServiceName::{Admin, Public};
        let of = |services: &[ServiceName], name, index| service_of(services, name, index).ok();
        for name in ["", "unknown", "admin", "sgsend-public.socket"] {
            assert_eq!(of(&[Public], name, 1), Some(Public), "the only service has all sockets");
        }
        let both = [Public, Admin];
        assert_eq!((of(&both, "admin", 0), of(&both, "public", 1)), (Some(Admin), Some(Public)));
        assert_eq!((of(&both, "unknown", 0), of(&both, "", 1)), (Some(Public), Some(Admin)));
        assert_eq!((of(&both, "", 2), of(&both, "web", 0)), (None, None));
    }
}
