//! Listen addresses of services: an address and port, or the path of a Unix socket.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::cli::input::values;

/// Prefix of a Unix socket's path.
const UNIX: &str = "unix:";
/// Longest path of a Unix socket, in bytes: that of Linux, less the ending of its temporary name.
const MAX_PATH: usize = 90;

/// Value of `--listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListenAddress {
    /// An address and a port.
    Network(SocketAddr),
    /// The path of a socket that the service creates.
    Unix(PathBuf),
}

/// Permissions of a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SocketMode(pub(super) u32);

/// Parses `--listen`.
pub(super) fn listen_address(text: &str) -> Result<ListenAddress, String> {
    let Some(path) = text.strip_prefix(UNIX) else {
        return values::listen_address(text).map(ListenAddress::Network);
    };
    if !path.starts_with('/') || path.ends_with('/') || path.len() > MAX_PATH {
        return Err(format!(
            "expected an absolute path of at most {MAX_PATH} bytes, such as unix:/run/sgsend/public.sock"
        ));
    }
    Ok(ListenAddress::Unix(path.into()))
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl Default for SocketMode {
    /// The user and the group of the service.
    fn default() -> Self {
        Self(0o660)
    }
}

impl FromStr for SocketMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
        mode.map(Self).ok_or_else(|| "expected permissions in octal, such as 660 or 0666".to_owned())
    }
}

impl fmt::Display for SocketMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_networks_or_absolute_paths() {
        assert_eq!(listen_address("unix:/run/a.sock"), Ok(ListenAddress::Unix("/run/a.sock".into())));
        assert_eq!(listen_address("unix:/run/a.sock").unwrap().to_string(), "unix:/run/a.sock");
        assert_eq!(listen_address(":80").unwrap().to_string(), "[::]:80");
        let long = format!("unix:/{}", "x".repeat(MAX_PATH));
        for bad in ["unix:", "unix:a.sock", "unix:/run/", "unix:@abstract", &long] {
            assert!(listen_address(bad).unwrap_err().contains("unix:/run/sgsend/public.sock"), "{bad}");
        }
    }

    #[test]
    fn modes_are_octal() {
        for (text, mode) in [("660", 0o660), ("0666", 0o666), ("000", 0), ("777", 0o777)] {
            assert_eq!(text.parse(), Ok(SocketMode(mode)), "{text}");
        }
        assert_eq!(SocketMode::default().to_string(), "660");
        for bad in ["", "66", "8", "688", "1777", "rw-rw----", "+60", "00660"] {
            assert!(bad.parse::<SocketMode>().is_err(), "{bad}");
        }
    }
}
