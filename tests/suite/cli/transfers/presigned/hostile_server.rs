//! Hostile services: payload URLs that clients must not follow, and responses that lead nowhere.

use serde_json::{Value, json};
use sgsend::domain::transfer::Status;

use super::{check_failure, run_download, run_failing_upload, upload};
use crate::support::stub::{Act, Plan, SIGNATURE, Stub, Terms, refusal};
use crate::support::{FinishedCommand, Home, content};

/// Starts a service whose responses to `call` are passed through `change`.
fn changing(call: &'static str, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Stub {
    let edit = move |name: &str, response: &mut Value| {
        if name == call {
            change(response);
        }
    };
    Plan::on(Terms::default()).edit_responses(edit).start()
}

#[test]
fn unsafe_payload_urls_are_not_followed() {
    let home = Home::new();
    for (address, exit) in [
        ("file:///tmp/payload", 8),
        ("ftp://store.example", 8),
        ("https://me:secret@store.example", 8),
        ("//store.example", 8),
        ("http://store.example", 2),
    ] {
        for size in [5, 9_000_000] {
            let stub = Stub::start();
            stub.sign_for(address);
            let finished = run_failing_upload(&stub, &home, &content(size), &[]);
            finished.expect_failure(exit, "");
            assert!(!finished.stderr.contains("secret"), "{}", finished.stderr);
            assert_eq!((stub.bytes().len(), stub.status()), (0, Some(Status::Deleted)));
        }
        let stub = Stub::start();
        let uploaded = upload(&stub, &home, b"hello", &[]);
        stub.sign_for(address);
        check_failure(&run_download(&stub, &home, &uploaded, &[]), &home, exit);
    }
}

#[test]
fn a_remote_service_names_no_store_on_this_machine() {
    let home = Home::new();
    let file = home.file("a.bin", b"hello");
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        for fallback in [true, false] {
            let stub = Plan::on(Terms { fallback, ..Terms::default() }).start();
            stub.sign_for(&stub.store_url().replace("127.0.0.1", host));
            // A proxy resolves the name of the service, so the service counts as remote.
            let run = |arguments: &[&str]| {
                let remote = ["--server", "http://send.example", "--insecure-http", "--json"];
                let mut command = stub.command(&home, &[&remote, arguments].concat());
                command.env("http_proxy", stub.service_url()).env("NO_PROXY", host);
                FinishedCommand::of(command.output().unwrap())
            };
            let finished = run(&["upload", &file]);
            let printed = finished.json();
            if fallback {
                assert_eq!((finished.exit, printed["mode"].as_str()), (0, Some("bytes")), "{}", finished.stderr);
                let link = printed["link"].as_str().unwrap();
                assert!(link.starts_with("http://send.example/d/"), "{link}");
                assert_eq!(run(&["download", link, "-o", "b.bin", "--overwrite"]).json()["mode"], "bytes");
            } else {
                assert_eq!((finished.exit, printed["error"]["code"].as_str()), (8, Some("unsafe_store")), "{printed}");
            }
            assert_eq!(stub.store_requests(), 0, "{host}");
        }
    }
}

#[test]
fn parts_that_do_not_cover_the_payload_are_rejected() {
    let home = Home::new();
    for (member, value, exit) in [
        ("part_count", json!(4), 8),
        ("part_count", json!(0), 8),
        ("part_size_bytes", json!(1_500_000), 1),
        ("part_size_bytes", json!(0), 1),
        ("part_size_bytes", json!(u64::MAX), 1),
        ("kind", json!("by-pigeon"), 8),
    ] {
        let hostile_value = value.clone();
        let stub = changing("/transfers/create", move |response| response["upload"][member] = hostile_value.clone());
        run_failing_upload(&stub, &home, &content(9_000_000), &[]).expect_failure(exit, "");
        assert_eq!(stub.store_requests(), 0, "{member}: {value}");
    }
}

#[test]
fn invalid_signed_requests_are_not_sent() {
    let home = Home::new();
    for (member, value) in [
        ("method", json!("DELETE")),
        ("headers", json!({"host": "elsewhere.example"})),
        ("headers", json!({"transfer-encoding": "chunked"})),
        ("headers", json!({"authorization": "Bearer x"})),
        ("headers", json!({"cookie": "a=b"})),
        ("headers", json!({"metadata-flavor": "Google"})),
        ("headers", json!({"x-aws-ec2-metadata-token": "x"})),
        ("headers", json!({"a": "b\r\nc: d"})),
    ] {
        let stub = changing("/transfers/create", move |response| response["upload"][member] = value.clone());
        run_failing_upload(&stub, &home, b"hello", &[]).expect_failure(8, "");
        assert_eq!(stub.store_requests(), 0);
    }
}

#[test]
fn fresh_urls_for_other_parts_are_rejected() {
    let home = Home::new();
    let changes: [fn(&mut Value); 3] = [
        |response| response["parts"] = json!([]),
        |response| response["part_size_bytes"] = json!(1 << 20),
        |response| *response = json!({"kind": "bytes", "url": "/x"}),
    ];
    for change in changes {
        let edit = move |name: &str, response: &mut Value| {
            if name == "upload/create-presign-urls" {
                change(response);
            }
        };
        let expired = |_: &_| Act::Respond(403, refusal("AccessDenied"));
        let stub = Plan::on(Terms::default()).edit_responses(edit).store(expired).start();
        run_failing_upload(&stub, &home, &content(9_000_000), &[]).expect_failure(8, "invalid response");
    }
}

#[test]
fn a_claim_of_parts_never_sent_is_rejected() {
    let home = Home::new();
    // The service claims that all parts have arrived, but never completes the upload.
    let edit = |name: &str, response: &mut Value| {
        if name == "upload/status" {
            response["parts_received"] = json!([[1, 4_294_967_295_u32]]);
        }
    };
    let unknown = |_: &_| Act::Respond(404, refusal("NoSuchUpload"));
    let stub = Plan::on(Terms::default()).edit_responses(edit).store(unknown).start();
    run_failing_upload(&stub, &home, &content(9_000_000), &["--timeout", "2s"]).expect_failure(8, "");
    assert!(stub.store_requests() < 10, "{} requests", stub.store_requests());
}

#[test]
fn errors_omit_secrets_from_responses() {
    let home = Home::new();
    let stub =
        changing("/transfers/create", |response| response["upload"]["url"] = json!(format!("no url {SIGNATURE}")));
    let finished = run_failing_upload(&stub, &home, b"hello", &["--verbose"]);
    assert_eq!(finished.exit, 8, "{}", finished.stderr);
}
