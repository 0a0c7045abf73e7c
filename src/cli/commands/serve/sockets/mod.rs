//! The listening sockets of services: of systemd, of an address and port, or of a path.

mod inherited;
mod unix;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use rustix::io::Errno;
use tokio::net::TcpListener;

use self::inherited::InheritedSocket;
pub(super) use self::inherited::inherit;
use self::unix::SocketFile;
use super::listen::{ListenAddress, SocketMode};
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::domain::address::is_loopback;
use crate::server::ServiceSocket;

/// Socket that a service will listen on.
pub(super) enum Endpoint {
    /// A socket that this process creates.
    Address(ListenAddress),
    /// A socket that the service manager has created.
    Inherited(InheritedSocket),
}

/// A socket at which a service listens.
pub(super) struct OpenSocket {
    pub(super) socket: ServiceSocket,
    /// Address and port; `None` for a Unix socket.
    pub(super) address: Option<SocketAddr>,
    /// Name of a Unix socket.
    pub(super) name: String,
    /// Removes the file of a Unix socket at the end.
    pub(super) file: Option<SocketFile>,
}

impl Endpoint {
    /// Returns the address and port; `None` for a Unix socket.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(ListenAddress::Network(address)) => Some(*address),
            Self::Address(ListenAddress::Unix(_)) => None,
            Self::Inherited(socket) => socket.address(),
        }
    }

    /// Returns whether other machines can connect.
    pub(super) fn is_open(&self) -> bool {
        self.address().is_some_and(|address| !is_loopback(address.ip()))
    }

    /// Opens the socket.
    pub(super) async fn open(self, mode: SocketMode) -> Result<OpenSocket, Failure> {
        let (socket, name, file) = match self {
            Self::Address(ListenAddress::Network(address)) => (bind(address).await?.into(), String::new(), None),
            Self::Address(ListenAddress::Unix(path)) => {
                let (listener, file) = unix::bind(&path, mode).map_err(|error| unusable_path(&path, &error))?;
                (listener.into(), format!("unix:{}", path.display()), Some(file))
            }
            Self::Inherited(socket) => {
                let name = socket.name();
                (socket.open().map_err(|error| unusable(&error))?, name, None)
            }
        };
        let address = socket.address().map_err(|error| unusable(&error))?;
        Ok(OpenSocket { socket, address, name, file })
    }
}

fn unusable(error: &io::Error) -> Failure {
    Failure::new(Exit::Other, "cannot_listen", format!("cannot use a listening socket: {error}"))
        .hint("check the socket unit of the service")
}

fn unusable_path(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot listen on unix:{}: {error}", path.display());
    let failure = Failure::new(Exit::Other, "cannot_listen", message);
    match error.kind() {
        io::ErrorKind::AddrInUse => failure.hint("another process listens there: stop it, or choose another path"),
        io::ErrorKind::AlreadyExists => failure.hint("the file is no socket: choose another path"),
        _ => failure.hint("choose a path in a folder that exists, and that this user can write"),
    }
}

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let is_any = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let lacks_ipv6 = |error: &io::Error| error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error());
    let bound = match TcpListener::bind(address).await {
        Err(error) if is_any && lacks_ipv6(&error) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await,
        bound => bound,
    };
    bound.map_err(|error| {
        let failure = Failure::new(Exit::Other, "cannot_listen", format!("cannot listen on {address}: {error}"));
        match error.kind() {
            io::ErrorKind::AddrInUse => failure.hint("the port is in use: choose another one, or 0 for a free one"),
            io::ErrorKind::PermissionDenied => failure.hint("ports below 1024 require privileges: choose another one"),
            _ => failure.hint("use an address of this machine"),
        }
    })
}
