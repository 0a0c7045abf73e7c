//! Payload stores that a client cannot use, so that payloads go through the service.

use std::io::{Read, Write};
use std::net::TcpListener;

use http::Method;
use sgsend::domain::transfer::Status;

use super::{download, run_failing_upload, upload};
use crate::support::stub::{Act, Plan, StoreRequest, Stub, Terms, refusal};
use crate::support::{FinishedCommand, Home, content};

/// Size of a payload in several parts, in bytes.
const SEVERAL_PARTS: u32 = 5_000_000;

/// Transfers a payload in both directions, and checks that it goes through the service.
///
/// The command says so once.
fn check_fallback(stub: &Stub, home: &Home, size: u32, reason: &str) {
    let content = content(size);
    let file = home.file("a.bin", &content);
    let uploaded = stub.run(home, &["upload", &file, "--json", "--verbose", "-d", "1", "--timeout", "10s"]);
    assert_eq!(uploaded.exit, 0, "{reason}: {}", uploaded.stderr);
    let json = uploaded.json();
    let link = json["link"].as_str().unwrap();
    let downloaded =
        stub.run(home, &["download", link, "-o", "b.bin", "--json", "--verbose", "--overwrite", "--timeout", "10s"]);
    assert_eq!(downloaded.exit, 0, "{reason}: {}", downloaded.stderr);
    assert!(std::fs::read(home.path().join("b.bin")).unwrap() == content, "{reason}: other content came back");
    for finished in [&uploaded, &downloaded] {
        assert_eq!(finished.json()["mode"], "bytes", "{reason}: {}", finished.stderr);
        assert_eq!(
            finished.stderr.matches("continuing through the server").count(),
            1,
            "{reason}: {}",
            finished.stderr
        );
    }
    assert_eq!(stub.downloads(), 1, "{reason}: counted twice");
    assert_eq!(stub.payload_reads(), 1, "{reason}: read twice");
    // 4 parts or ranges at a time, each with a fresh URL or two retries.
    assert!(stub.store_requests() <= 24, "{reason}: {} requests to the store", stub.store_requests());
}

#[test]
fn a_store_that_refuses_this_client_is_not_used() {
    let home = Home::new();
    for (status, code) in [
        (403, "RequestTimeTooSkewed"),
        (403, "SignatureDoesNotMatch"),
        (403, "AccessDenied"),
        (400, "ExpiredToken"),
        (301, "PermanentRedirect"),
        (307, "TemporaryRedirect"),
    ] {
        for size in [5, SEVERAL_PARTS] {
            let stub = Plan::on(Terms::default()).store(move |_| Act::Respond(status, refusal(code))).start();
            check_fallback(&stub, &home, size, code);
        }
    }
}

#[test]
fn a_response_of_a_middlebox_is_not_that_of_a_store() {
    let home = Home::new();
    for status in [302, 401, 403, 404, 405, 407, 413, 451, 502, 503, 504, 511] {
        let page = || "<html><title>Please log in</title></html>".to_owned();
        let stub = Plan::on(Terms::default()).store(move |_| Act::Respond(status, page())).start();
        check_fallback(&stub, &home, 5, &status.to_string());
    }
    let late = |request: &StoreRequest| match request.method {
        Method::PUT => Act::AnswerAfterwards(403, String::new()),
        _ => Act::Respond(403, String::new()),
    };
    let stub = Plan::on(Terms::default()).store(late).start();
    check_fallback(&stub, &home, SEVERAL_PARTS, "after the body");
}

#[test]
fn a_store_without_a_usable_connection_is_not_used() {
    let home = Home::new();
    let hang_up = TcpListener::bind("127.0.0.1:0").unwrap();
    let tls = format!("https://{}", hang_up.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in hang_up.incoming().map_while(Result::ok) {
            // A TLS alert: handshake_failure.
            let _ = client.read(&mut [0; 512]);
            let _ = client.write_all(&[21, 3, 3, 0, 2, 2, 40]);
        }
    });
    let stub = Stub::start();
    let plain = stub.store_url().replace("http://", "https://");
    for (address, reason) in [
        ("https://store.invalid", "the name cannot be resolved"),
        ("https://127.0.0.1:9", "connections are refused"),
        (&tls, "the TLS handshake fails"),
        (&plain, "the port speaks no TLS"),
        ("https://169.254.169.254", "the address is forbidden"),
    ] {
        for size in [5, SEVERAL_PARTS] {
            let stub = Stub::start();
            stub.sign_for(address);
            check_fallback(&stub, &home, size, reason);
            assert_eq!(stub.store_requests(), 0);
        }
    }
}

#[test]
fn a_proxy_that_does_not_connect_to_the_store_is_no_obstacle() {
    let home = Home::new();
    for status in [403, 407, 502, 503] {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", proxy.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut client in proxy.incoming().map_while(Result::ok) {
                let _ = client.read(&mut [0; 4096]);
                let _ = write!(client, "HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
            }
        });
        let stub = Stub::start();
        stub.sign_for("https://store.example");
        let file = home.file("a.bin", b"hello");
        let mut command = stub.command(&home, &["upload", &file]);
        let finished = FinishedCommand::of(command.env("HTTPS_PROXY", address).output().unwrap());
        stub.check(&finished);
        assert_eq!((finished.exit, stub.calls("payload/upload-bytes")), (0, 1), "{}", finished.stderr);
        assert_eq!(finished.stderr.matches("continuing through the server").count(), 1, "{}", finished.stderr);
    }
}

#[test]
fn errors_of_the_payload_stay_errors() {
    let home = Home::new();
    let stub = Plan::on(Terms::default()).store(|_| Act::Respond(400, refusal("EntityTooLarge"))).start();
    run_failing_upload(&stub, &home, b"hello", &[]).expect_failure(8, "entitytoolarge");
    assert_eq!((stub.bytes().len(), stub.status()), (0, Some(Status::Deleted)));
}

#[test]
fn a_busy_store_is_waited_for() {
    let home = Home::new();
    let busy = |request: &StoreRequest| match request.before {
        0..=3 => Act::Respond(503, refusal("SlowDown")),
        _ => Act::Serve,
    };
    let stub = Plan::on(Terms::default()).store(busy).start();
    let uploaded = upload(&stub, &home, b"hello", &[]);
    let downloaded = download(&stub, &home, &uploaded, b"hello", &[]);
    assert_eq!((uploaded["mode"].as_str(), downloaded["mode"].as_str()), (Some("presigned"), Some("presigned")));
}

#[test]
fn a_store_that_has_accepted_a_part_is_not_left() {
    let home = Home::new();
    // Four parts are sent at once, so the fifth follows an accepted one.
    let refuses = |request: &StoreRequest| match request.number {
        ..=4 => Act::Serve,
        _ => Act::AnswerAfterwards(403, refusal("AccessDenied")),
    };
    let stub = Plan::on(Terms::default()).store(refuses).start();
    run_failing_upload(&stub, &home, &content(13_000_000), &[]).expect_failure(8, "accessdenied");
    assert_eq!((stub.bytes().len(), stub.status()), (0, Some(Status::Deleted)));
}

#[test]
fn a_store_that_refuses_in_the_middle_of_a_download_is_left() {
    let home = Home::new();
    let refuses = |request: &StoreRequest| match request.start {
        Some(start) if start >= 4 << 20 => Act::Respond(403, refusal("AccessDenied")),
        _ => Act::Serve,
    };
    let stub = Plan::on(Terms::default()).store(refuses).start();
    let content = content(13_000_000);
    let uploaded = upload(&stub, &home, &content, &["-d", "1"]);
    let downloaded = download(&stub, &home, &uploaded, &content, &[]);
    assert_eq!((uploaded["mode"].as_str(), downloaded["mode"].as_str()), (Some("presigned"), Some("bytes")));
    assert_eq!((stub.downloads(), stub.payload_reads()), (1, 1));
}
