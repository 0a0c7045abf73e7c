//! Hints for connections that fail: name resolution, proxies, and TLS certificates.

use crate::client::{CertificateFault, ConnectFault, Destination, Origin, Proxy, ProxyFault};

/// Returns the hint for a server that cannot be reached.
pub(super) fn of_connect(fault: ConnectFault, destination: &Destination) -> String {
    match fault {
        ConnectFault::Lookup => {
            "check the spelling of the host name, and the name servers and network of this machine".to_owned()
        }
        ConnectFault::TimedOut => {
            "check the address and the firewalls on the way, or allow more time with --timeout".to_owned()
        }
        ConnectFault::Refused => "check the address and the port, and that the server is running".to_owned(),
        ConnectFault::NoRoute => {
            format!(
                "check the network connection or VPN of this machine, and whether {} needs a proxy",
                destination.origin()
            )
        }
        ConnectFault::Other => "check the address, and that the server is running".to_owned(),
    }
}

/// Returns the hint for a proxy that does not pass requests on.
pub(super) fn of_proxy(fault: &ProxyFault, proxy: &Proxy, origin: &Origin) -> String {
    let (variable, bypass) = (proxy.variable(), bypass(origin));
    match fault {
        ProxyFault::Unreachable(..) => format!("correct or unset {variable}, or {bypass}"),
        ProxyFault::Authentication => {
            format!("set {variable} with the user name and password of the proxy: SCHEME://USER:PASSWORD@HOST:PORT")
        }
        ProxyFault::Refused(_) => {
            format!("check that the server is running and that the proxy allows connections to it, or {bypass}")
        }
        ProxyFault::Protocol => proxy_format(variable),
    }
}

/// Returns the hint for a variable that contains no proxy.
pub(super) fn proxy_format(variable: &str) -> String {
    format!("{variable} takes http://HOST:PORT, https://HOST:PORT, socks5://HOST:PORT or socks5h://HOST:PORT")
}

/// Returns the hint for a rejected certificate.
pub(super) fn of_certificate(fault: &CertificateFault, destination: &Destination) -> String {
    match fault {
        CertificateFault::Expired(_) => {
            "the operator of the server must renew it; if it has not expired yet, correct the clock of this machine"
                .to_owned()
        }
        CertificateFault::NotYetValid { .. } => {
            "check the clock of this machine; if it is right, tell the operator of the server".to_owned()
        }
        CertificateFault::WrongName { presented, .. } if presented.is_empty() => {
            "use the host name that the certificate was issued for".to_owned()
        }
        CertificateFault::WrongName { .. } => {
            "use a host name that the certificate contains, or check that the address is right".to_owned()
        }
        CertificateFault::UnknownIssuer => match destination.proxy() {
            None => "pass the CA certificate of the server with --ca-file".to_owned(),
            Some(_) => "pass the CA certificate of the server with --ca-file, or that of the proxy, if the proxy \
                        replaces certificates"
                .to_owned(),
        },
        CertificateFault::Authority => {
            "the operator of the server must use a certificate with CA:FALSE, for example from openssl req -x509 \
             -addext basicConstraints=critical,CA:FALSE"
                .to_owned()
        }
        CertificateFault::Revoked => "the operator of the server must replace it; send nothing until then".to_owned(),
        CertificateFault::Other(_) => "the operator of the server must replace it".to_owned(),
    }
}

/// Returns the server's address with the other scheme.
pub(super) fn other_scheme(destination: &Destination) -> String {
    let origin = destination.origin().to_string();
    origin
        .strip_prefix("https://")
        .map(|rest| format!("http://{rest}"))
        .or_else(|| origin.strip_prefix("http://").map(|rest| format!("https://{rest}")))
        .unwrap_or(origin)
}

fn bypass(origin: &Origin) -> String {
    format!("add {} to NO_PROXY to connect without it", origin.host())
}
