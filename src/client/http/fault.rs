//! Classifies transport errors by the types in their source chains.

use std::error::Error as StdError;
use std::io;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use rustls::InvalidMessage;
use tower::Service;

use super::certificate::CertificateFault;
use super::destination::Destination;
use super::resolver::{ForbiddenAddress, LookupError};
use crate::client::Reach;

// Types without a public name.
type ConnectError = <HttpConnector as Service<Uri>>::Error;
type TunnelError = <Tunnel<HttpConnector> as Service<Uri>>::Error;
type SocksError = <SocksV5<HttpConnector> as Service<Uri>>::Error;

/// Reason why a server or a proxy cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFault {
    /// The host name cannot be resolved.
    Lookup,
    /// No connection within the time limit.
    TimedOut,
    /// No program listens on the port.
    Refused,
    /// This machine has no destination to the address.
    NoRoute,
    /// Another error.
    Other,
}

/// Reason why a proxy does not pass requests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyFault {
    /// The proxy itself cannot be reached; the text is the cause.
    Unreachable(ConnectFault, String),
    /// The proxy requires a user name and a password, or rejects them.
    Authentication,
    /// The proxy does not connect to the server; the text is the cause, if the proxy names one.
    Refused(Option<String>),
    /// The proxy does not speak the protocol of its URL.
    Protocol,
}

/// Class of a transport error.
pub(super) enum Fault {
    Certificate(CertificateFault),
    NotTls,
    NotHttp,
    Handshake,
    Proxy(ProxyFault),
    Connect(ConnectFault),
    Timeout,
    Lost,
}

impl Fault {
    /// Classifies `error`, which occurred in a request to `destination`.
    pub(super) fn of(error: &reqwest::Error, destination: &Destination) -> Self {
        if error.is_timeout() {
            return if error.is_connect() { Self::Connect(ConnectFault::TimedOut) } else { Self::Timeout };
        }
        if let Some(fault) = proxy_fault(error, destination) {
            return Self::Proxy(fault);
        }
        match find::<rustls::Error>(error) {
            Some(rustls::Error::InvalidCertificate(fault)) => {
                return Self::Certificate(CertificateFault::of(fault, &destination.origin().host()));
            }
            Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => return Self::NotTls,
            Some(rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_)) if error.is_connect() => {
                return Self::Handshake;
            }
            _ => {}
        }
        if error.is_connect() {
            Self::Connect(connect_fault(error))
        } else if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
            Self::NotHttp
        } else {
            Self::Lost
        }
    }
}

/// Returns the class of the address that the resolver of payload stores has refused.
///
/// `None` for another error.
pub(in crate::client) fn forbidden_address(error: &reqwest::Error) -> Option<Reach> {
    find::<ForbiddenAddress>(error).map(|refused| refused.0)
}

/// Returns the fault of the proxy of `destination`; `None` if the error is not the proxy's.
fn proxy_fault(error: &reqwest::Error, destination: &Destination) -> Option<ProxyFault> {
    let proxy = destination.proxy()?;
    if let Some(socks) = find::<SocksError>(error) {
        return Some(match socks {
            SocksError::Inner(error) => unreachable(error),
            SocksError::Io(error) => unreachable(error),
            SocksError::V5(fault) if is_authentication(fault) => ProxyFault::Authentication,
            SocksError::V4(_) | SocksError::V5(_) => ProxyFault::Refused(Some(socks.to_string())),
            _ => ProxyFault::Protocol,
        });
    }
    if let Some(tunnel) = find::<TunnelError>(error) {
        return Some(match tunnel {
            TunnelError::ConnectFailed(error) => unreachable_or_untrusted(&**error, &proxy.host()),
            TunnelError::Io(error) => unreachable(error),
            TunnelError::ProxyAuthRequired => ProxyFault::Authentication,
            TunnelError::ProxyHeadersTooLong => ProxyFault::Protocol,
            _ => ProxyFault::Refused(None),
        });
    }
    if let Some(error) = find::<ConnectError>(error) {
        return Some(unreachable(error));
    }
    // The only connection of a forwarded request is the proxy's.
    destination.forwarding_proxy()?;
    if error.is_connect() {
        Some(unreachable_or_untrusted(error, &proxy.host()))
    } else {
        find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse).then_some(ProxyFault::Protocol)
    }
}

fn unreachable(error: &(dyn StdError + 'static)) -> ProxyFault {
    ProxyFault::Unreachable(connect_fault(error), root(error).to_string())
}

fn unreachable_or_untrusted(error: &(dyn StdError + 'static), host: &str) -> ProxyFault {
    match find::<rustls::Error>(error) {
        Some(rustls::Error::InvalidCertificate(fault)) => {
            let text = format!("its certificate {}", CertificateFault::of(fault, host));
            ProxyFault::Unreachable(ConnectFault::Other, text)
        }
        Some(rustls::Error::InvalidMessage(_)) => ProxyFault::Protocol,
        _ => unreachable(error),
    }
}

fn connect_fault(error: &(dyn StdError + 'static)) -> ConnectFault {
    if find::<LookupError>(error).is_some() {
        return ConnectFault::Lookup;
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => ConnectFault::Refused,
        Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkDown) => {
            ConnectFault::NoRoute
        }
        Some(io::ErrorKind::TimedOut) => ConnectFault::TimedOut,
        _ => ConnectFault::Other,
    }
}

fn is_authentication(fault: &impl std::fmt::Debug) -> bool {
    // The enum of SOCKS errors has no name that this crate could match.
    format!("{fault:?}").starts_with("Auth")
}

/// Finds the first error of type `T` in the source chain of `error`.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

fn root<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    causes(error).last().unwrap_or(error)
}

/// Iterates over `error` and its causes.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&cause| {
        // `io::Error::source` skips the inner error and returns the inner error's source.
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.map_or_else(|| cause.source(), |inner| Some(inner as &(dyn StdError + 'static)))
    })
}
