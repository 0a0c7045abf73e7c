//! Choice of the payload flow: presigned URLs of the store, or bytes through the service.

use std::io::{Read, Write};
use std::net::TcpListener;

use rcgen::{CertificateParams, KeyPair};
use sgsend::domain::transfer::Status;
use sgsend::domain::wire::Flow;

use super::{check_failure, download, run_download, run_failing_upload, upload};
use crate::support::stub::{Act, Plan, Stub, Terms};
use crate::support::{FinishedCommand, Home, content, wait_until};

#[test]
fn an_unreachable_store_makes_payloads_go_through_the_service() {
    let home = Home::new();
    for (size, pieces) in [(5, 1), (13_000_000, 2)] {
        let stub = Stub::start();
        stub.close_store();
        let content = content(size);
        let uploaded = upload(&stub, &home, &content, &[]);
        assert_eq!((uploaded["mode"].as_str(), stub.calls("payload/upload-bytes")), (Some("bytes"), pieces));
        let downloaded = download(&stub, &home, &uploaded, &content, &["--overwrite"]);
        assert_eq!((downloaded["mode"].as_str(), stub.downloads()), (Some("bytes"), 1));
    }
}

#[test]
fn a_silent_store_counts_as_unreachable() {
    let home = Home::new();
    // A port that accepts connections and never responds.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let stub = Stub::start();
    stub.sign_for(&format!("https://{}", silent.local_addr().unwrap()));
    let content = content(13_000_000);
    let uploaded = upload(&stub, &home, &content, &["--timeout", "3s"]);
    assert_eq!(uploaded["mode"], "bytes");
    let downloaded = download(&stub, &home, &uploaded, &content, &["--timeout", "3s"]);
    assert_eq!(downloaded["mode"], "bytes");
}

#[test]
fn a_refusing_proxy_makes_payloads_go_through_the_service() {
    let home = Home::new();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in proxy.incoming().map_while(Result::ok) {
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let stub = Stub::start();
    stub.sign_for("https://store.example");
    let file = home.file("a.bin", b"hello");
    let mut command = stub.command(&home, &["upload", &file, "--json"]);
    let finished = FinishedCommand::of(command.env("HTTPS_PROXY", address).output().unwrap());
    stub.check(&finished);
    assert_eq!((finished.exit, finished.json()["mode"].as_str()), (0, Some("bytes")), "{}", finished.stderr);
}

#[test]
fn the_flow_stays_once_a_part_has_arrived() {
    let home = Home::new();
    let script =
        |request: &crate::support::stub::StoreRequest| if request.number > 1 { Act::Silence } else { Act::Serve };
    let stub = Plan::on(Terms::default()).store(script).start();
    let file = home.file("a.bin", &content(13_000_000));
    let uploading = stub.command(&home, &["upload", &file, "--timeout", "6s"]).spawn().unwrap();
    wait_until("other parts were sent", || stub.bodies(1).len() == 1 && stub.store_requests() >= 4);
    stub.close_store();
    let finished = FinishedCommand::of(uploading.wait_with_output().unwrap());
    finished.expect_failure(10, "--resume");
    stub.check(&finished);
    assert_eq!((stub.bytes().len(), stub.status()), (0, Some(Status::Pending)));
}

#[test]
fn forced_presigned_flow_never_falls_back() {
    let home = Home::new();
    let stub = Stub::start();
    let content = content(9_000_000);
    let uploaded = upload(&stub, &home, &content, &["--flow", "presigned"]);
    download(&stub, &home, &uploaded, &content, &["--flow", "presigned"]);
    std::fs::remove_file(home.path().join("b.bin")).unwrap();
    stub.close_store();
    let quick = ["--flow", "presigned", "--timeout", "1s"];
    let error = check_failure(&run_download(&stub, &home, &uploaded, &quick), &home, 8);
    assert_eq!(error["code"], "unreachable");
    run_failing_upload(&stub, &home, &content, &quick).expect_failure(8, "--flow bytes");
    assert_eq!((stub.bytes().len(), stub.calls("payload/download-bytes")), (0, 0));
}

#[test]
fn forced_bytes_flow_never_uses_the_store() {
    let home = Home::new();
    let stub = Stub::start();
    for content in [content(5), content(9_000_000)] {
        let uploaded = upload(&stub, &home, &content, &["--flow", "bytes"]);
        let downloaded = download(&stub, &home, &uploaded, &content, &["--flow", "bytes", "--overwrite"]);
        assert_eq!((uploaded["mode"].as_str(), downloaded["mode"].as_str()), (Some("bytes"), Some("bytes")));
    }
    assert_eq!(stub.store_requests(), 0);
}

#[test]
fn flows_that_are_not_offered() {
    let home = Home::new();
    let stub = Plan::on(Terms { fallback: false, ..Terms::default() }).start();
    run_failing_upload(&stub, &home, b"hello", &["--flow", "bytes"]).expect_failure(2, "--flow");
    assert_eq!(stub.status(), Some(Status::Deleted));
    let uploaded = upload(&stub, &home, b"hello", &[]);
    let error = check_failure(&run_download(&stub, &home, &uploaded, &["--flow", "bytes"]), &home, 2);
    assert_eq!(error["code"], "flow_unavailable");
    stub.close_store();
    run_failing_upload(&stub, &home, b"hello", &["--timeout", "1s"]).expect_failure(8, "");
    assert_eq!(stub.bytes().len(), 0);

    let stub = Plan::on(Terms { flow: Flow::Bytes, ..Terms::default() }).start();
    run_failing_upload(&stub, &home, b"hello", &["--flow", "presigned"]).expect_failure(2, "--flow");
    assert_eq!(stub.calls("/transfers/create"), 0);
    for flow in ["auto", "bytes"] {
        let uploaded = upload(&stub, &home, b"hello", &["--flow", flow]);
        assert_eq!(uploaded["mode"], "bytes");
        download(&stub, &home, &uploaded, b"hello", &["--flow", flow, "--overwrite"]);
        std::fs::remove_file(home.path().join("b.bin")).unwrap();
        let error = check_failure(&run_download(&stub, &home, &uploaded, &["--flow", "presigned"]), &home, 2);
        assert_eq!(error["code"], "flow_unavailable");
    }
}

#[test]
fn a_store_is_trusted_as_a_server_is() {
    let home = Home::new();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let ca = home.file("ca.pem", certificate.pem().as_bytes());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let stub = Plan::on(Terms::default()).tls(config).start();
    let content = content(9_000_000);
    let uploaded = upload(&stub, &home, &content, &["--ca-file", &ca]);
    let downloaded = download(&stub, &home, &uploaded, &content, &["--ca-file", &ca]);
    assert_eq!((uploaded["mode"].as_str(), downloaded["mode"].as_str()), (Some("presigned"), Some("presigned")));
    run_failing_upload(&stub, &home, &content, &["--flow", "presigned"]).expect_failure(8, "--ca-file");
    let uploaded = upload(&stub, &home, &content, &[]);
    let downloaded = download(&stub, &home, &uploaded, &content, &["--overwrite"]);
    assert_eq!((uploaded["mode"].as_str(), downloaded["mode"].as_str()), (Some("bytes"), Some("bytes")));
}
