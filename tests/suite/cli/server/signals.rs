//! A running service as its operator meets it: signals, and the format of its log.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};

use crate::support::{Home, ServerProcess, wait_until};

/// Id of a transfer that does not exist.
const ID: &str = "01890a5dac96774bbcceb302099a8057";

/// Writes a self-signed certificate and its key. Also returns a copy of the certificate for clients.
fn certificate(home: &Home, copy: &str) -> (String, [String; 2]) {
    let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let pem = issuer.pem();
    let ca = home.file(copy, pem.as_bytes());
    (ca, [home.file("cert.pem", pem.as_bytes()), home.file("key.pem", issuer.key().serialize_pem().as_bytes())])
}

#[test]
fn sighup_loads_a_renewed_certificate_without_closing_connections() {
    let home = Home::new();
    let (first_ca, [cert, key]) = certificate(&home, "first.pem");
    let serving = home.server().storage("memory:").arguments(&["--tls-cert", &cert, "--tls-key", &key]).start();
    let status = |ca: &str| home.run(&["--ca-file", ca, "--server", &serving.public, "status", ID]).exit;
    assert_eq!(status(&first_ca), 3);
    // This connection is open before the reload, in the middle of its handshake.
    let mut open = TcpStream::connect(serving.public.trim_start_matches("https://")).unwrap();

    let (second_ca, _) = certificate(&home, "second.pem");
    serving.signal("HUP");
    wait_until("the new certificate is used", || status(&second_ca) == 3);
    assert_eq!(status(&first_ca), 8);
    open.set_nonblocking(true).unwrap();
    let read = open.read(&mut [0]).unwrap_err();
    assert_eq!(read.kind(), std::io::ErrorKind::WouldBlock, "the open connection was closed");

    home.file("key.pem", b"no key");
    serving.signal("HUP");
    assert_eq!(status(&second_ca), 3);
    drop(open);
    let log = serving.terminate();
    assert!(log.contains("loaded the TLS certificate again"), "{log}");
}

#[test]
fn sighup_without_a_certificate_changes_nothing() {
    let home = Home::new();
    let serving = home.server().storage("memory:").start();
    serving.signal("HUP");
    assert_eq!(home.run_at(&serving, &["status", ID]).exit, 3);
    serving.terminate();
}

/// Starts a request without its body; returns the connection.
fn stuck_request(home: &Home, serving: &ServerProcess) -> TcpStream {
    let address = serving.public.trim_start_matches("http://");
    let token =
        home.run_at(serving, &["token", "create", "stuck", "--json"]).json()["token"].as_str().unwrap().to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("POST /transfers/create HTTP/1.1\r\nhost: {address}\r\nx-sgsend-token: {token}\r\n");
    let head = head + "content-type: application/json\r\ncontent-length: 20\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The response shows that the service waits for the body.
    let mut interim = [0; 12];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100");
    stream
}

#[test]
fn a_second_signal_ends_a_service_at_once() {
    let home = Home::new();
    for (name, exit) in [("TERM", 143), ("INT", 130)] {
        let serving = home.server().storage("memory:").arguments(&["--drain-timeout", "1h"]).start();
        let _stuck = stuck_request(&home, &serving);
        serving.signal("TERM");
        let address = serving.public.trim_start_matches("http://").to_owned();
        wait_until("the service accepts no connection", || TcpStream::connect(&address).is_err());
        serving.signal(name);
        assert_eq!(serving.wait().0, Some(exit), "{name}");
    }
}

#[test]
fn a_service_waits_for_requests_until_its_drain_timeout() {
    let home = Home::new();
    let serving = home.server().storage("memory:").arguments(&["--drain-timeout", "1ms"]).start();
    let _stuck = stuck_request(&home, &serving);
    let log = serving.terminate();
    assert!(log.contains("aborted in-flight requests: drain timeout"), "{log}");
}

#[test]
fn the_log_can_be_json() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let arguments = ["serve", "all", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--storage", &store];
    let mut command = home.sgsend(&[&arguments[..], &["--log-format", "json"]].concat());
    let mut service = command.env("SGSEND_LOG", "debug").stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(service.stderr.take().unwrap()).lines();
    let mut urls = std::collections::BTreeMap::new();
    while urls.len() < 2 {
        let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
        if line["message"] == "listening" {
            urls.insert(line["service"].to_string(), line["url"].as_str().unwrap().to_owned());
        }
    }
    assert!(urls.values().all(|url| url.starts_with("http://127.0.0.1:")), "{urls:?}");
    let stopped = std::process::Command::new("kill").arg(service.id().to_string()).status().unwrap();
    assert!(stopped.success() && service.wait().unwrap().success());
    for line in lines {
        let line = line.unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok_and(|line| line.is_object()), "{line}");
    }
}
