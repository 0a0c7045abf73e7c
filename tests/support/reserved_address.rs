//! Addresses that stay the same while the servers behind them come and go.

use std::fmt;
use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// A loopback address for a server that is started later, or again.
///
/// A free port alone may be given to another process before the server binds it. This socket is bound and never
/// listens: Linux gives its port to nobody who asks for any port, and lets a server that sets `SO_REUSEADDR` bind it.
/// Until then, connections are refused.
pub(crate) struct ReservedAddress {
    address: SocketAddr,
    _socket: TcpSocket,
}

impl ReservedAddress {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { address: socket.local_addr().unwrap(), _socket: socket }
    }

    pub(crate) fn get(&self) -> SocketAddr {
        self.address
    }
}

impl fmt::Display for ReservedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
