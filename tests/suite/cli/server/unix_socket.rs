//! Services at Unix sockets.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::support::{Home, ServerProcess};

/// Sends a request over a Unix socket; returns the response.
fn request(path: &str, head: &str, body: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    let length = body.len();
    let text = format!("{head}host: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// Creates a transfer with a forwarded header; returns the address that its record has.
fn recorded(home: &Home, serving: &ServerProcess, path: &str) -> Value {
    let admin = |arguments: &[&str]| home.run(&[&["--admin-server", &serving.admin], arguments].concat()).json();
    let token = admin(&["token", "create", "x", "--json"])["token"].as_str().unwrap().to_owned();
    let head = "POST /transfers/create HTTP/1.1\r\nx-forwarded-for: 198.51.100.1, 203.0.113.9\r\nx-sgsend-token: ";
    let created = request(path, &format!("{head}{token}\r\n"), r#"{"size_bytes":1}"#);
    let body: Value = serde_json::from_str(created.split_once("\r\n\r\n").unwrap().1).unwrap();
    let trail = admin(&["audit", "show", body["transfer_id"].as_str().unwrap(), "--json"]);
    let create = |record: &&Value| record["route"] == "/transfers/create";
    trail["items"].as_array().unwrap().iter().find(create).unwrap()["client"]["address"].clone()
}

#[test]
fn a_service_listens_at_a_path_and_removes_it_at_the_end() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let path = home.path().join("public.sock");
    let (listen, path) = (format!("unix:{}", path.display()), path.to_str().unwrap());
    let server = || home.server().only("public").storage(&store).listen(&listen);
    let mode = || std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let serving = server().start();
    assert_eq!((serving.public.as_str(), mode()), (&*listen, 0o660));
    assert_eq!(home.run(&["health", "--socket", path]).text(), format!("{listen} is ready"));
    assert!(home.run(&["health", "--live", "--socket", path]).text().starts_with(&format!("{listen} runs sgsend ")));
    assert!(request(path, "GET / HTTP/1.1\r\n", "").starts_with("HTTP/1.1 200 OK\r\n"));
    // The path is in use.
    let second = home.run(&["serve", "public", "--storage", &store, "--listen", &listen]);
    second.expect_failure(1, "cannot listen on unix:");
    assert!(home.run(&["health", "--socket", path]).exit == 0);
    // A killed service leaves its socket, and the next one replaces it.
    serving.kill();
    assert!(std::fs::metadata(path).is_ok());
    let serving = server().arguments(&["--socket-mode", "0600"]).start();
    assert_eq!(mode(), 0o600);
    serving.terminate();
    assert!(std::fs::symlink_metadata(path).is_err(), "the socket is still there");
    assert_eq!(home.run(&["health", "--socket", path]).exit, 8);
    // Nothing else is replaced.
    home.file("public.sock", b"a file");
    server().try_start().err().unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"a file");
    for (flag, bad) in [("--listen", "unix:relative.sock"), ("--socket-mode", "rw")] {
        home.run(&["serve", "public", "--storage", &store, flag, bad]).expect_failure(2, flag);
    }
}

#[test]
fn peers_of_a_unix_socket_name_clients_only_if_they_are_trusted() {
    let home = Home::new();
    let path = home.path().join("public.sock").to_str().unwrap().to_owned();
    let server = || home.server().storage("memory:").listen(&format!("unix:{path}")).arguments(&["--ip-mode", "full"]);
    let serving = server().start();
    assert_eq!(recorded(&home, &serving, &path), "127.0.0.1");
    let log = serving.terminate();
    assert_eq!(log.matches("--trusted-proxy unix").count(), 1, "{log}");
    let serving = server().arguments(&["--trusted-proxy", "127.0.0.1"]).start();
    assert_eq!(recorded(&home, &serving, &path), "127.0.0.1");
    serving.terminate();
    let serving = server().arguments(&["--trusted-proxy", "unix"]).start();
    assert_eq!(recorded(&home, &serving, &path), "203.0.113.9");
    assert!(!serving.terminate().contains("--trusted-proxy"));
}
