//! Presigned uploads to a payload store.

use std::io::{BufRead, BufReader, Read};
use std::process::Command;

use http::Method;
use sgsend::domain::transfer::Status;

use super::{check_no_upload_state, download, run_failing_upload, upload};
use crate::support::stub::{Act, MIB, Plan, StoreRequest, Stub, Terms, refusal};
use crate::support::{FinishedCommand, Home, content, overwrite, wait_until};

/// Starts a store that applies `script` to part uploads, and serves all other requests.
fn store(script: impl Fn(&StoreRequest) -> Act + Send + Sync + 'static) -> Stub {
    let only_parts =
        move |request: &StoreRequest| if request.method == Method::PUT { script(request) } else { Act::Serve };
    Plan::on(Terms::default()).store(only_parts).start()
}

/// Checks that all uploads of the same part had the same bytes.
fn is_one_payload(stub: &Stub) {
    let payload = stub.payload();
    for (number, part) in (1..).zip(payload.chunks(2 * usize::try_from(MIB).unwrap())) {
        for body in stub.bodies(number) {
            assert!(part.starts_with(&body), "part {number} was sent with different bytes");
        }
    }
}

#[test]
fn a_small_payload_goes_in_one_request() {
    let (home, stub) = (Home::new(), Stub::start());
    for extra in [&[][..], &["-d", "1"]] {
        let uploaded = upload(&stub, &home, b"hello", extra);
        assert_eq!((uploaded["mode"].as_str(), stub.bodies(1).len()), (Some("presigned"), 1));
        let downloaded = download(&stub, &home, &uploaded, b"hello", &["--overwrite"]);
        assert_eq!(downloaded["mode"], "presigned");
        assert_eq!((stub.bytes().len(), stub.downloads()), (0, 1));
    }
}

#[test]
fn a_large_payload_is_uploaded_in_parallel_parts() {
    let home = Home::new();
    // Responds to no part before four requests are open.
    let stub = store(|_| Act::Together(4));
    let content = content(13_000_000);
    let uploaded = upload(&stub, &home, &content, &[]);
    assert_eq!(stub.max_concurrent_requests(), 4);
    assert_eq!((stub.requested_part_numbers().len(), stub.store_requests()), (0, 7));
    is_one_payload(&stub);
    download(&stub, &home, &uploaded, &content, &[]);
}

#[test]
fn parts_arrive_in_any_order() {
    let home = Home::new();
    let stub = store(|request| if request.number == 1 { Act::After(6) } else { Act::Serve });
    let content = content(13_000_000);
    let uploaded = upload(&stub, &home, &content, &[]);
    download(&stub, &home, &uploaded, &content, &[]);
}

#[test]
fn further_urls_are_requested() {
    let home = Home::new();
    let stub = Plan::on(Terms { urls_ahead: 2, part_size: MIB, ..Terms::default() }).start();
    let content = content(9_000_000);
    let uploaded = upload(&stub, &home, &content, &[]);
    assert_eq!(stub.requested_part_numbers(), [(3..=9).collect::<Vec<_>>()]);
    download(&stub, &home, &uploaded, &content, &[]);
}

#[test]
fn expired_urls_are_renewed() {
    let home = Home::new();
    let expired = |request: &StoreRequest| match (request.number, request.issue) {
        // Some URLs expire before the store reads the body, some after the whole body.
        (2, 1) => Act::Respond(403, refusal("AccessDenied")),
        (3.., 1) => Act::AnswerAfterwards(403, refusal("AccessDenied")),
        _ => Act::Serve,
    };
    let stub = store(expired);
    let content = content(13_000_000);
    let uploaded = upload(&stub, &home, &content, &[]);
    let asked_for = stub.requested_part_numbers();
    assert!((1..=5).contains(&asked_for.len()), "{asked_for:?}");
    is_one_payload(&stub);
    download(&stub, &home, &uploaded, &content, &[]);

    let stub =
        store(|request| if request.issue == 1 { Act::Respond(403, refusal("AccessDenied")) } else { Act::Serve });
    upload(&stub, &home, b"hello", &[]);
    assert_eq!(stub.requested_part_numbers(), [[0; 0]]);
}

#[test]
fn a_rejected_fresh_url_is_an_error() {
    let home = Home::new();
    let stub =
        store(|request| if request.number == 2 { Act::Respond(403, refusal("AccessDenied")) } else { Act::Serve });
    run_failing_upload(&stub, &home, &content(13_000_000), &["--flow", "presigned"]).expect_failure(8, "accessdenied");
    assert_eq!((stub.bodies(2).len(), stub.status()), (0, Some(Status::Deleted)));
    assert_eq!(stub.requested_part_numbers().iter().filter(|numbers| numbers.contains(&2)).count(), 1);
}

#[test]
fn a_stored_payload_is_not_sent_again() {
    let home = Home::new();
    let stub = store(|request| if request.before == 0 { Act::LoseAnswer } else { Act::Serve });
    let uploaded = upload(&stub, &home, b"hello", &[]);
    let bodies = stub.bodies(1);
    assert_eq!(bodies.len(), 2);
    assert!(bodies[0] == bodies[1], "a different payload was sent");
    download(&stub, &home, &uploaded, b"hello", &[]);
}

#[test]
fn transient_errors_are_retried() {
    let home = Home::new();
    let stub = store(|request| match (request.number, request.before) {
        (1, 0) => Act::Respond(500, String::new()),
        (2, 0..=1) => Act::Respond(503, refusal("SlowDown")),
        (3, 0) => Act::Cut(700_000),
        (4, 0) => Act::LoseAnswer,
        (5, 0) => Act::AnswerAfterwards(400, refusal("RequestTimeout")),
        _ => Act::Serve,
    });
    let content = content(13_000_000);
    let uploaded = upload(&stub, &home, &content, &[]);
    for number in [3, 4, 5] {
        assert!(stub.bodies(number).len() >= 2, "part {number} was not sent again");
    }
    is_one_payload(&stub);
    download(&stub, &home, &uploaded, &content, &[]);
}

#[test]
fn a_stalled_request_is_retried() {
    let home = Home::new();
    let stub = store(|request| if request.number == 2 && request.before == 0 { Act::Silence } else { Act::Serve });
    let content = content(7_000_000);
    let uploaded = upload(&stub, &home, &content, &["--timeout", "3s"]);
    assert_eq!(uploaded["mode"], "presigned");
    download(&stub, &home, &uploaded, &content, &[]);
}

#[test]
fn missing_parts_are_sent_again() {
    let home = Home::new();
    let stub = store(|request| match (request.number, request.before) {
        (2, 0) | (5, 0..=1) => Act::Forget,
        // The response of a store that has aborted the multipart upload as abandoned.
        (3, 0) => Act::Respond(404, refusal("NoSuchUpload")),
        _ => Act::Serve,
    });
    let content = content(13_000_000);
    let uploaded = upload(&stub, &home, &content, &[]);
    is_one_payload(&stub);
    download(&stub, &home, &uploaded, &content, &[]);
}

#[test]
fn retries_against_a_store_that_keeps_nothing_end() {
    let home = Home::new();
    for content in [content(13_000_000), b"hello".to_vec()] {
        let stub = store(|request| if request.number == 1 { Act::Forget } else { Act::Serve });
        run_failing_upload(&stub, &home, &content, &[]).expect_failure(8, "");
        assert!((2..10).contains(&stub.bodies(1).len()), "sent {} times", stub.bodies(1).len());
    }
}

#[test]
fn a_transfer_deleted_during_an_upload_is_gone() {
    let home = Home::new();
    let stub = store(|request| if request.number == 3 { Act::Delete } else { Act::Serve });
    run_failing_upload(&stub, &home, &content(13_000_000), &[]).expect_failure(4, "");
}

#[test]
fn store_errors_are_reported_by_code_only() {
    let home = Home::new();
    let long = format!("<Code>NoSuchBucket</Code>{}", "x".repeat(30_000_000));
    for (status, body, words) in [
        (400, refusal("EntityTooLarge"), "entitytoolarge"),
        (404, long, ""),
        (307, String::new(), "status 307"),
        (418, "<Code>not a code</Code>".to_owned(), "status 418"),
        (401, format!("<Code>{}", "x".repeat(100_000)), "status 401"),
    ] {
        let stub = store(move |_| Act::Respond(status, body.clone()));
        let finished = run_failing_upload(&stub, &home, b"hello", &["--flow", "presigned"]);
        finished.expect_failure(8, words);
        assert!(finished.stderr.len() < 1_000, "{}", finished.stderr.len());
    }
}

#[test]
fn a_growing_file_aborts_its_upload() {
    let home = Home::new();
    let path = home.path().join("a.bin");
    let stub = store(move |request| {
        if request.number == 2 {
            std::fs::OpenOptions::new().append(true).open(&path).unwrap().set_len(14_000_000).unwrap();
        }
        Act::Serve
    });
    run_failing_upload(&stub, &home, &content(13_000_000), &[]).expect_failure(9, "grew");
    assert_eq!(stub.status(), Some(Status::Deleted));
}

#[test]
fn no_part_is_retried_with_different_content() {
    let home = Home::new();
    let path = home.path().join("a.bin");
    let script = move |request: &StoreRequest| match (request.number, request.before) {
        (1, 0) => Act::AnswerAfterwards(500, String::new()),
        (1, 1) => {
            // All segments are encrypted by now; retries encrypt some of them again.
            overwrite(&path, &vec![0; 16_000_000]);
            Act::Serve
        }
        _ => Act::Serve,
    };
    let stub = Plan::on(Terms { part_size: 8 * MIB, ..Terms::default() }).store(script).start();
    run_failing_upload(&stub, &home, &content(16_000_000), &[]).expect_failure(9, "changed");
    assert_eq!(stub.status(), Some(Status::Deleted));
    wait_until("the first part came twice", || stub.bodies(1).len() == 2);
    let bodies = stub.bodies(1);
    assert!(bodies[0].starts_with(&bodies[1]), "a segment was sent with two different contents");
}

#[test]
fn an_upload_resumes_when_the_store_comes_back() {
    let home = Home::new();
    // Part 1 is stored; requests for parts 2 to 4 hang until their connections are closed.
    let stub = store(|request| match (request.number, request.before) {
        (2..=4, 0) => Act::Silence,
        // Later parts get no response before four parts are stored.
        (5.., _) => Act::After(4),
        _ => Act::Serve,
    });
    let content = content(13_000_000);
    let file = home.file("a.bin", &content);
    let mut uploading = stub.command(&home, &["upload", &file, "--json", "--verbose"]).spawn().unwrap();
    wait_until("other parts were sent", || stub.bodies(1).len() == 1 && stub.store_requests() >= 4);
    stub.close_store();
    let mut stderr = BufReader::new(uploading.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("cannot reach") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "no line about the store was printed");
    }
    stub.open_store();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let finished = FinishedCommand::of(uploading.wait_with_output().unwrap());
    assert_eq!(finished.exit, 0, "{rest}");
    stub.check(&finished);
    assert_eq!((finished.json()["mode"].as_str(), stub.bytes().len()), (Some("presigned"), 0));
    is_one_payload(&stub);
    download(&stub, &home, &finished.json(), &content, &[]);
}

#[test]
fn an_interrupted_non_resumable_upload_leaves_no_state() {
    let home = Home::new();
    let stub = store(|_| Act::Silence);
    let file = home.file("a.bin", &content(13_000_000));
    let uploading = stub.command(&home, &["upload", &file, "--no-resume-state"]).spawn().unwrap();
    wait_until("parts were sent", || stub.store_requests() >= 4);
    assert!(Command::new("kill").args(["-INT", &uploading.id().to_string()]).status().unwrap().success());
    let finished = FinishedCommand::of(uploading.wait_with_output().unwrap());
    finished.expect_failure(130, "deleted");
    stub.check(&finished);
    assert_eq!(stub.status(), Some(Status::Deleted));
    check_no_upload_state(&home);
}
