//! First calls of a command while the service, or the proxy in front of it, restarts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{BlockingProxy, FinishedCommand, Home, ReservedAddress};

/// Starts a proxy to `target` whose first connections fail, each in another way. The counter has the failures to come.
fn start_restarting_proxy(target: &str, failures: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let target = target.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let remaining = failures.load(Ordering::SeqCst);
            if remaining == 0 {
                let server = TcpStream::connect(&target).unwrap();
                copy(client.try_clone().unwrap(), server.try_clone().unwrap());
                copy(server, client);
                continue;
            }
            failures.store(remaining - 1, Ordering::SeqCst);
            let mut head = [0; 4096];
            let _ = client.read(&mut head);
            let response = match remaining {
                1 => continue,
                2 => "502 Bad Gateway",
                3 => "503 Service Unavailable",
                _ => "504 Gateway Timeout",
            };
            let response = format!("HTTP/1.1 {response}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            // The client may have closed the connection.
            let _ = client.write_all(response.as_bytes());
        }
    });
    url
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        // The peer may have closed its side already.
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}

#[test]
fn first_calls_are_retried_while_a_proxy_restarts() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let token = home.file("token", home.run_at(&serving, &["token", "create", "x"]).text().as_bytes());
    let failures = Arc::new(AtomicUsize::new(0));
    let url = start_restarting_proxy(&serving.public, failures.clone());
    let file = home.file("a.txt", b"hello");
    let run = |arguments: &[&str]| {
        failures.store(4, Ordering::SeqCst);
        let secrets = ["--token-file", &token, "--admin-key-file", ".config/sgsend/admin-key"];
        let finished = home.run(&[&["--server", &url], &secrets[..], arguments].concat());
        assert_eq!(failures.load(Ordering::SeqCst), 0, "{arguments:?}: {}", finished.stderr);
        finished.text()
    };
    run(&["login", &url]);
    let link = run(&["upload", &file, "-d", "2"]).replace(&serving.public, &url);
    assert_eq!(run(&["download", &link, "-o", "-"]), "hello");
    let status = run(&["status", &link, "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["download_count"], 1);
    run(&["delete", &link]);

    let admin = start_restarting_proxy(&serving.admin, failures.clone());
    let created = home.run_at(&serving, &["token", "create", "y", "--json"]).json();
    let id = created["token_id"].as_str().unwrap();
    let transfer = link.split_once("/d/").unwrap().1.split('#').next().unwrap();
    for arguments in [&["stats"][..], &["token", "list"], &["token", "revoke", id], &["audit", "show", transfer]] {
        run(&[&["--admin-server", &admin], arguments].concat());
    }
}

#[test]
fn a_refused_connection_is_retried_until_the_service_listens_again() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    let link = home.run_at(&serving, &["upload", &home.file("a.txt", b"hello")]).text();
    let address = ReservedAddress::new();
    let through = link.replace(&serving.public, &format!("http://{address}"));
    let mut download = home.sgsend(&["download", &through, "-o", "-", "--verbose"]);
    let mut download = download.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(download.stderr.take().unwrap());
    let mut printed = String::new();
    while !printed.contains("retrying in") {
        printed.clear();
        assert!(stderr.read_line(&mut printed).unwrap() > 0, "the command did not retry");
    }
    let _proxy = BlockingProxy::at(address.get(), &serving.public);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let finished = FinishedCommand::of(download.wait_with_output().unwrap());
    assert_eq!(finished.text(), "hello", "{rest}");
}

#[test]
fn other_errors_are_reported_at_once() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let unknown = format!("{}/d/{}", serving.public, "0".repeat(32));
    home.run(&["status", &unknown]).expect_failure(3, "");
    let finished = home.run(&["status", &unknown.replace("127.0.0.1", "name.invalid"), "--insecure-http", "--verbose"]);
    assert_eq!(finished.exit, 8, "{}", finished.stderr);
    assert!(!finished.stderr.contains("retrying"), "{}", finished.stderr);
}
