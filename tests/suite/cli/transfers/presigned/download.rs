//! Presigned downloads from a payload store.

use http::Method;

use super::{check_failure, download, run_download, upload};
use crate::support::stub::{Act, MIB, Plan, StoreRequest, Stub, Terms, refusal};
use crate::support::{FinishedCommand, Home, content, wait_until};

/// Length of one range request, in bytes.
const RANGE: u64 = 2 * MIB;

/// Starts a store that applies `script` to payload GETs, and serves all other requests.
fn store(script: impl Fn(&StoreRequest) -> Act + Send + Sync + 'static) -> Stub {
    let only_gets =
        move |request: &StoreRequest| if request.method == Method::GET { script(request) } else { Act::Serve };
    Plan::on(Terms::default()).store(only_gets).start()
}

/// Returns whether a request starts beyond the first 8 MiB of the payload.
fn is_later(request: &StoreRequest) -> bool {
    request.start.is_some_and(|start| start >= 8 * MIB)
}

#[test]
fn a_large_payload_is_downloaded_in_parallel_ranges() {
    let home = Home::new();
    let stub = store(|_| Act::Together(4));
    let content = content(26_000_000);
    let uploaded = upload(&stub, &home, &content, &[]);
    let before = stub.store_requests();
    let downloaded = download(&stub, &home, &uploaded, &content, &[]);
    assert_eq!((downloaded["mode"].as_str(), stub.store_requests() - before), (Some("presigned"), 13));
    assert_eq!((stub.max_concurrent_requests(), stub.downloads(), stub.calls("payload/download-bytes")), (4, 1, 0));
}

#[test]
fn an_archive_is_listed_and_single_files_are_saved_by_ranges_of_the_store() {
    let home = Home::new();
    let stub = store(|_| Act::Serve);
    let photo = content(40_000);
    std::fs::create_dir_all(home.path().join("sent/photos")).unwrap();
    for (name, bytes) in [("photos/a.jpg", &photo), ("film.bin", &content(26_000_000))] {
        std::fs::write(home.path().join("sent").join(name), bytes).unwrap();
    }
    let uploaded = stub.run(&home, &["upload", "sent", "--json"]);
    assert_eq!(uploaded.exit, 0, "{}", uploaded.stderr);
    let (link, before) = (uploaded.json()["link"].as_str().unwrap().to_owned(), stub.store_requests());
    let listed = stub.run(&home, &["download", &link, "--list", "--json"]);
    assert_eq!(listed.exit, 0, "{}", listed.stderr);
    let listed = listed.json();
    let paths = |kind: &str| -> Vec<String> {
        let files = listed["files"].as_array().unwrap().iter().filter(|file| file["kind"] == kind);
        files.map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(paths("file"), ["film.bin", "photos/a.jpg"]);
    let saved = stub.run(&home, &["download", &link, "--only", "photos/*.jpg", "-o", "inbox"]);
    assert_eq!(saved.exit, 0, "{}", saved.stderr);
    assert!(std::fs::read(home.path().join(saved.text()).join("photos/a.jpg")).unwrap() == photo, "other content");
    let requests = stub.store_requests() - before;
    assert!((2..=8).contains(&requests), "{requests} requests to the store");
    // List and download share one grant, and no byte of the payload passes through the service.
    assert_eq!((stub.downloads(), stub.calls("payload/download-bytes")), (1, 0));
}

#[test]
fn transient_errors_are_retried() {
    let home = Home::new();
    let stub = store(|request| match (request.start, request.before) {
        (Some(0), 0) => Act::Respond(500, String::new()),
        (Some(start), 0) if start == RANGE => Act::Cut(1_000_000),
        (Some(start), 0) if start == RANGE + 1_000_000 => Act::Respond(503, refusal("SlowDown")),
        (Some(start), 0) if start == 2 * RANGE => Act::Silence,
        _ => Act::Serve,
    });
    let content = content(26_000_000);
    let uploaded = upload(&stub, &home, &content, &[]);
    let downloaded = download(&stub, &home, &uploaded, &content, &["--timeout", "3s"]);
    assert_eq!((downloaded["mode"].as_str(), stub.downloads()), (Some("presigned"), 1));

    let stub = store(|request| if request.start.is_none() && request.before == 0 { Act::Cut(3) } else { Act::Serve });
    let uploaded = upload(&stub, &home, b"hello", &[]);
    download(&stub, &home, &uploaded, b"hello", &["--overwrite"]);
}

#[test]
fn an_expired_url_is_renewed_without_counting_a_download() {
    let home = Home::new();
    let stub = store(|request| match request.issue {
        2 => Act::Respond(403, refusal("AccessDenied")),
        // The next URL expires in the middle of the payload, after some successful requests.
        3 if request.start.is_some_and(|start| start >= 16 * MIB) => Act::Respond(403, refusal("AccessDenied")),
        _ => Act::Serve,
    });
    let content = content(26_000_000);
    let uploaded = upload(&stub, &home, &content, &["-d", "1"]);
    download(&stub, &home, &uploaded, &content, &[]);
    assert_eq!((stub.downloads(), stub.calls("download/create-presign-url")), (1, 3));
}

#[test]
fn a_rejected_fresh_url_is_an_error() {
    let home = Home::new();
    let stub = store(|_| Act::Respond(403, refusal("AccessDenied")));
    for size in [5, 9_000_000] {
        let uploaded = upload(&stub, &home, &content(size), &[]);
        let error = check_failure(&run_download(&stub, &home, &uploaded, &["--flow", "presigned"]), &home, 8);
        assert_eq!(error["code"], "store_refused");
    }
}

#[test]
fn mismatched_ranges_are_rejected() {
    let home = Home::new();
    for wrong in [|| Act::IgnoreRange, || Act::OtherRange] {
        let stub = store(move |request| if is_later(request) { wrong() } else { Act::Serve });
        let uploaded = upload(&stub, &home, &content(13_000_000), &[]);
        let error = check_failure(&run_download(&stub, &home, &uploaded, &[]), &home, 8);
        assert_eq!(error["code"], "unknown_answer");
    }
}

#[test]
fn a_damaged_payload_is_never_released() {
    let home = Home::new();
    for size in [5, 13_000_000] {
        let stub = Stub::start();
        let uploaded = upload(&stub, &home, &content(size), &[]);
        stub.change_payload(|payload| *payload.last_mut().unwrap() ^= 1);
        check_failure(&run_download(&stub, &home, &uploaded, &[]), &home, 6);
    }
    // One surplus byte after the authentic payload.
    let stub = Stub::start();
    let uploaded = upload(&stub, &home, b"hello", &[]);
    stub.change_payload(|payload| payload.push(0));
    check_failure(&run_download(&stub, &home, &uploaded, &[]), &home, 6);
    for change in [|payload: &mut Vec<u8>| payload.truncate(9_000_000), |payload: &mut Vec<u8>| payload.push(0)] {
        let stub = Stub::start();
        let uploaded = upload(&stub, &home, &content(13_000_000), &[]);
        stub.change_payload(change);
        check_failure(&run_download(&stub, &home, &uploaded, &[]), &home, 8);
    }
}

#[test]
fn a_transfer_deleted_during_a_download_is_gone() {
    let home = Home::new();
    let stub = store(|request| if is_later(request) { Act::Delete } else { Act::Serve });
    let uploaded = upload(&stub, &home, &content(13_000_000), &[]);
    let error = check_failure(&run_download(&stub, &home, &uploaded, &[]), &home, 4);
    assert_eq!(error["reason"], "deleted");
}

/// Closes the store in the middle of a download.
fn cut_off(stub: &Stub, home: &Home, link: &str, extra: &[&str]) -> std::process::Child {
    let before = stub.store_requests();
    let arguments = [&["download", link, "-o", "b.bin", "--json", "--verbose"], extra].concat();
    let downloading = stub.command(home, &arguments).spawn().unwrap();
    wait_until("the store has answered again", || stub.store_requests() >= before + 4);
    stub.close_store();
    downloading
}

#[test]
fn a_download_falls_back_to_the_service_when_the_store_is_gone() {
    let home = Home::new();
    let stub = store(|request| if is_later(request) { Act::Silence } else { Act::Serve });
    let content = content(26_000_000);
    let uploaded = upload(&stub, &home, &content, &["-d", "1"]);
    let downloading = cut_off(&stub, &home, uploaded["link"].as_str().unwrap(), &[]);
    let finished = FinishedCommand::of(downloading.wait_with_output().unwrap());
    stub.check(&finished);
    assert_eq!((finished.exit, finished.json()["mode"].as_str()), (0, Some("bytes")), "{}", finished.stderr);
    assert!(finished.stderr.contains("through the server"), "{}", finished.stderr);
    assert!(std::fs::read(home.path().join("b.bin")).unwrap() == content);
    assert_eq!(stub.downloads(), 1);
}

#[test]
fn a_download_resumes_when_the_store_comes_back() {
    let home = Home::new();
    let hangs = |request: &StoreRequest| request.before == 0 && request.start.is_some_and(|start| start == 3 * RANGE);
    let stub = store(move |request| if hangs(request) { Act::Silence } else { Act::Serve });
    let content = content(26_000_000);
    let uploaded = upload(&stub, &home, &content, &[]);
    let mut downloading = cut_off(&stub, &home, uploaded["link"].as_str().unwrap(), &["--flow", "presigned"]);
    let mut stderr = std::io::BufReader::new(downloading.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("cannot reach") {
        line.clear();
        assert!(
            std::io::BufRead::read_line(&mut stderr, &mut line).unwrap() > 0,
            "no line about the store was printed"
        );
    }
    stub.open_store();
    let rest = std::io::read_to_string(stderr).unwrap();
    let finished = FinishedCommand::of(downloading.wait_with_output().unwrap());
    assert_eq!((finished.exit, finished.json()["mode"].as_str()), (0, Some("presigned")), "{rest}");
    assert!(std::fs::read(home.path().join("b.bin")).unwrap() == content);
}
