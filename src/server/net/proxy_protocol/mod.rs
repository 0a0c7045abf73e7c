//! The PROXY protocol, versions 1 and 2: a header with the client's address before a connection.
//!
//! Source: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Timeout of a header, which a proxy sends at once.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// First bytes of a header of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Maximum length of a header of version 1, with its line end.
const MAX_LINE: usize = 107;
/// Maximum length of a header of version 2 behind its fixed part, in bytes.
///
/// These are the addresses, and values that are ignored.
const MAX_REST: usize = 4096;

/// The start of a connection is no valid header.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyHeaderError {
    /// The connection ended, or failed, within the header.
    #[error("the connection ended within the PROXY header")]
    Incomplete(#[from] io::Error),
    /// The header did not arrive in time.
    #[error("no PROXY header within the timeout")]
    Timeout,
    /// The first bytes are those of neither version.
    #[error("the connection has no PROXY header")]
    Missing,
    /// The header of version 1 is malformed.
    #[error("malformed PROXY header")]
    Line,
    /// The header of version 2 is malformed.
    #[error("malformed PROXY header of version 2")]
    Binary,
    /// The header is longer than the limit.
    #[error("the PROXY header is too long")]
    TooLong,
    /// The proxy forwards another protocol than TCP.
    #[error("the PROXY header does not describe a TCP connection")]
    Transport,
}

/// Reads the header of a connection, and nothing behind it.
///
/// Returns the client's address; `None` if the proxy does not name one, as for its own health checks.
///
/// # Errors
/// [`ProxyHeaderError`] if the header is missing, malformed, too long, or not complete after `timeout`.
pub(crate) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    timeout: Duration,
) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    tokio::time::timeout(timeout, read_header(stream)).await.map_err(|_| ProxyHeaderError::Timeout)?
}

async fn read_header<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    // No header of either version is shorter.
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        let mut fixed = [0; 4];
        stream.read_exact(&mut fixed).await?;
        let [version_command, family, high, low] = fixed;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MAX_REST {
            return Err(ProxyHeaderError::TooLong);
        }
        let mut rest = vec![0; length];
        stream.read_exact(&mut rest).await?;
        return parse_binary(version_command, family, &rest);
    }
    if !start.starts_with(b"PROXY ") {
        return Err(ProxyHeaderError::Missing);
    }
    let mut line = start.to_vec();
    // Byte by byte, since TLS or a request follows the line.
    while !line.ends_with(b"\r\n") {
        if line.len() == MAX_LINE {
            return Err(ProxyHeaderError::TooLong);
        }
        line.push(stream.read_u8().await?);
    }
    parse_line(&line[..line.len() - 2])
}

/// Parses a header of version 1 without its line end.
fn parse_line(line: &[u8]) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let text = std::str::from_utf8(line).map_err(|_| ProxyHeaderError::Line)?;
    let mut words = text.split(' ');
    let family = (words.next(), words.next());
    if family == (Some("PROXY"), Some("UNKNOWN")) {
        // The rest of the line has no meaning.
        return Ok(None);
    }
    let mut address = || words.next()?.parse::<IpAddr>().ok();
    let (source, destination) = (address(), address());
    let mut port = || number(words.next()?);
    let (source_port, destination_port) = (port(), port());
    let (Some(source), Some(destination), Some(port), Some(_), None) =
        (source, destination, source_port, destination_port, words.next())
    else {
        return Err(ProxyHeaderError::Line);
    };
    match family {
        (Some("PROXY"), Some("TCP4")) if source.is_ipv4() && destination.is_ipv4() => {}
        (Some("PROXY"), Some("TCP6")) if source.is_ipv6() && destination.is_ipv6() => {}
        _ => return Err(ProxyHeaderError::Line),
    }
    Ok(Some(SocketAddr::new(source, port)))
}

/// Parses a port, without a sign or zeros in front.
fn number(text: &str) -> Option<u16> {
    let is_plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    if is_plain { text.parse().ok() } else { None }
}

/// Parses a header of version 2: version and command, address family and transport, and the rest.
fn parse_binary(version_command: u8, family: u8, rest: &[u8]) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    match version_command {
        // LOCAL: the proxy's own connection.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(ProxyHeaderError::Binary),
    }
    match family {
        // Unknown, or a Unix socket of the proxy.
        0x00 | 0x31 => Ok(None),
        0x11 => {
            let &[a, b, c, d, _, _, _, _, high, low, ..] = rest else { return Err(ProxyHeaderError::Binary) };
            let address = checked(rest, 12).map(|_| Ipv4Addr::new(a, b, c, d))?;
            Ok(Some(SocketAddr::new(address.into(), u16::from_be_bytes([high, low]))))
        }
        0x21 => {
            let rest = checked(rest, 36)?;
            let source: [u8; 16] = rest[..16].try_into().expect("a slice of 16 bytes");
            let port = u16::from_be_bytes([rest[32], rest[33]]);
            Ok(Some(SocketAddr::new(Ipv6Addr::from(source).into(), port)))
        }
        0x12 | 0x22 | 0x32 => Err(ProxyHeaderError::Transport),
        _ => Err(ProxyHeaderError::Binary),
    }
}

/// Returns `rest` if it has the addresses of its family, of this many bytes.
fn checked(rest: &[u8], length: usize) -> Result<&[u8], ProxyHeaderError> {
    if rest.len() < length { Err(ProxyHeaderError::Binary) } else { Ok(rest) }
}
