//! Tests of PROXY headers: those of the specification, every truncation, and random bytes.

use proptest::prelude::*;

use super::*;

const NEXT: &[u8] = b"\x16\x03\x01 the next bytes";

/// Returns the result of a header, and the bytes behind it that are still there.
fn read_all(bytes: &[u8]) -> (Result<Option<SocketAddr>, ProxyHeaderError>, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut stream = bytes;
        let read = read(&mut stream, HEADER_TIMEOUT).await;
        (read, stream.to_vec())
    })
}

fn with_next(header: &[u8]) -> Vec<u8> {
    [header, NEXT].concat()
}

fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[0x20 | command, family], &length, rest].concat()
}

fn binary_of(source: SocketAddr, values: &[u8]) -> Vec<u8> {
    let port = source.port().to_be_bytes();
    match source.ip() {
        IpAddr::V4(ip) => binary(1, 0x11, &[&ip.octets()[..], &[192, 0, 2, 1], &port, &[1, 187], values].concat()),
        IpAddr::V6(ip) => binary(1, 0x21, &[&ip.octets()[..], &[0; 16], &port, &[1, 187], values].concat()),
    }
}

fn line_of(source: SocketAddr) -> Vec<u8> {
    let (family, destination) = if source.is_ipv4() { ("TCP4", "192.0.2.1") } else { ("TCP6", "2001:db8::1") };
    format!("PROXY {family} {} {destination} {} 443\r\n", source.ip(), source.port()).into_bytes()
}

#[test]
fn headers_of_both_versions_name_the_client() {
    for source in ["203.0.113.9:56324", "255.255.255.255:65535", "[2001:db8::9]:1", "[::ffff:192.0.2.7]:0"] {
        let source: SocketAddr = source.parse().unwrap();
        let values = [&[0x01, 0, 2][..], b"h2", &[0x04, 0, 0]].concat();
        for header in [line_of(source), binary_of(source, b""), binary_of(source, &values)] {
            let (read, rest) = read_all(&with_next(&header));
            assert_eq!(read.unwrap(), Some(source));
            assert_eq!(rest, NEXT, "bytes behind the header were read");
        }
    }
    let longest =
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert_eq!(longest.len(), MAX_LINE);
    let unknown = [b"PROXY UNKNOWN\r\n".to_vec(), longest.as_bytes().to_vec()];
    let local =
        [binary(0, 0x00, b""), binary(0, 0x11, b"junk"), binary(1, 0x00, &[1; 216]), binary(1, 0x31, &[0; 216])];
    for header in unknown.into_iter().chain(local) {
        let (read, rest) = read_all(&with_next(&header));
        assert_eq!((read.unwrap(), &*rest), (None, NEXT));
    }
}

#[test]
fn malformed_headers_are_rejected() {
    for line in [
        "PROXY TCP4 203.0.113.9 192.0.2.1 56324\r\n",
        "PROXY TCP4 203.0.113.9 192.0.2.1 56324 443 1\r\n",
        "PROXY TCP4 203.0.113.9  192.0.2.1 56324 443\r\n",
        "PROXY TCP4 203.0.113.9 192.0.2.1 +1 443\r\n",
        "PROXY TCP4 203.0.113.9 192.0.2.1 01 443\r\n",
        "PROXY TCP4 203.0.113.9 192.0.2.1 65536 443\r\n",
        "PROXY TCP4 203.0.113.9 192.0.2.1 -1 443\r\n",
        "PROXY TCP4 203.0.113.09 192.0.2.1 1 443\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 443\r\n",
        "PROXY TCP6 203.0.113.9 192.0.2.1 1 443\r\n",
        "PROXY TCP4 203.0.113.9 2001:db8::2 1 443\r\n",
        "PROXY tcp4 203.0.113.9 192.0.2.1 1 443\r\n",
        "PROXY UDP4 203.0.113.9 192.0.2.1 1 443\r\n",
        "PROXY TCP4 203.0.113.9 192.0.2.1 1 443\n\r\n",
        "PROXY TCP4 example.org 192.0.2.1 1 443\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY  UNKNOWN\r\n",
    ] {
        assert!(matches!(read_all(&with_next(line.as_bytes())).0, Err(ProxyHeaderError::Line)), "{line}");
    }
    for other in ["GET / HTTP/1.1\r\n\r\n", "proxy TCP4 203.0.113.9 192.0.2.1 1 443\r\n", "\r\n\r\n\0\r\nQUIT\r____"] {
        assert!(matches!(read_all(other.as_bytes()).0, Err(ProxyHeaderError::Missing)), "{other:?}");
    }
    let long = [b"PROXY UNKNOWN ", &[b'x'; MAX_LINE][..], b"\r\n"].concat();
    let large = [&SIGNATURE[..], &[0x21, 0x11, 0x10, 0x01], &[0; MAX_REST + 1]].concat();
    for header in [long, large] {
        let (read, rest) = read_all(&header);
        assert!(matches!(read, Err(ProxyHeaderError::TooLong)) && !rest.is_empty());
    }
    for (command, family, length) in
        [(1, 0x11, 11), (1, 0x21, 35), (2, 0x11, 12), (15, 0x11, 12), (1, 0x41, 12), (1, 0x10, 12)]
    {
        let header = binary(command, family, &vec![0; length]);
        assert!(matches!(read_all(&header).0, Err(ProxyHeaderError::Binary)), "{command} {family:x} {length}");
    }
    let version_1 = [&SIGNATURE[..], &[0x11, 0x11, 0, 12], &[0; 12]].concat();
    assert!(matches!(read_all(&version_1).0, Err(ProxyHeaderError::Binary)));
    for udp in [0x12, 0x22, 0x32] {
        assert!(matches!(read_all(&binary(1, udp, &[0; 216])).0, Err(ProxyHeaderError::Transport)));
    }
}

#[test]
fn a_truncated_header_is_no_header() {
    let source = "203.0.113.9:56324".parse().unwrap();
    for header in [line_of(source), binary_of(source, b"\x01\0\x02h2"), b"PROXY UNKNOWN\r\n".to_vec()] {
        for end in 0..header.len() {
            assert!(matches!(read_all(&header[..end]).0, Err(ProxyHeaderError::Incomplete(_))), "{end}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_header_times_out() {
    use tokio::io::AsyncWriteExt;
    let (mut theirs, mut ours) = tokio::io::duplex(64);
    theirs.write_all(b"PROXY TCP4 ").await.unwrap();
    let began = tokio::time::Instant::now();
    assert!(matches!(read(&mut ours, HEADER_TIMEOUT).await, Err(ProxyHeaderError::Timeout)));
    assert_eq!(began.elapsed(), HEADER_TIMEOUT);
}

proptest! {
    #[test]
    fn every_address_survives(ip in any::<IpAddr>(), port in any::<u16>(), values in prop::collection::vec(any::<u8>(), 0..64)) {
        let source = SocketAddr::new(ip, port);
        prop_assert_eq!(read_all(&with_next(&binary_of(source, &values))).0.unwrap(), Some(source));
        prop_assert_eq!(read_all(&with_next(&line_of(source))).0.unwrap(), Some(source));
    }

    #[test]
    fn random_bytes_are_read_within_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..300), start in 0..3_usize) {
        let starts: [&[u8]; 3] = [b"", b"PROXY ", &SIGNATURE];
        let bytes = [starts[start], &bytes].concat();
        let (_, rest) = read_all(&bytes);
        prop_assert!(bytes.len() - rest.len() <= SIGNATURE.len() + 4 + MAX_REST);
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_header(at in 0..28_usize, byte in any::<u8>()) {
        let mut header = binary_of("203.0.113.9:56324".parse().unwrap(), b"");
        header[at] = byte;
        // Never a panic, and never bytes behind a header of its own length.
        let (read, rest) = read_all(&with_next(&header));
        if read.is_ok() && !(14..=15).contains(&at) {
            prop_assert_eq!(rest, NEXT);
        }
    }
}
