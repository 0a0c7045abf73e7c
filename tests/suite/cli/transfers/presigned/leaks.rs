//! Faults of the store: what retries and fallbacks send.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Method;
use sgsend::domain::link::Link;

use super::{download, upload};
use crate::support::Home;
use crate::support::stub::{Act, Plan, StoreRequest, Stub, Terms, refusal};

/// Content of the uploads, which repeats this text.
const CANARY: &str = "a canary sings in the coal mine; ";
/// Number of repetitions, and of the parts that the payload has.
const SIZE: usize = 150_000;
const PARTS: u32 = 3;

/// Returns all bytes that service and store have received.
fn received(stub: &Stub) -> Vec<u8> {
    let parts = (1..=PARTS).flat_map(|number| stub.bodies(number));
    parts.chain([stub.bytes()]).flatten().collect()
}

/// Uploads to a store with this behaviour, and checks what it receives.
///
/// The first part must be sent at least `sends` times.
fn leaks_nothing(script: impl Fn(&StoreRequest) -> Act + Send + Sync + 'static, extra: &[&str], sends: usize) {
    let home = Home::new();
    let only_parts =
        move |request: &StoreRequest| if request.method == Method::PUT { script(request) } else { Act::Serve };
    let stub = Plan::on(Terms::default()).store(only_parts).start();
    let content = CANARY.repeat(SIZE);
    let uploaded = upload(&stub, &home, content.as_bytes(), extra);
    download(&stub, &home, &uploaded, content.as_bytes(), &[]);
    assert!(stub.bodies(1).len() >= sends, "part 1 was sent {} times", stub.bodies(1).len());
    check(&stub, &uploaded, content.len());
}

/// Checks that neither service nor store has received content, name or key.
fn check(stub: &Stub, uploaded: &serde_json::Value, size: usize) {
    let received = received(stub);
    assert!(received.len() > size, "only {} bytes were received", received.len());
    let link: Link = uploaded["link"].as_str().unwrap().parse().unwrap();
    let key = link.key.unwrap().unlock(None).unwrap().into_own().unwrap();
    let text = BASE64_URL_SAFE_NO_PAD.encode(key.as_bytes());
    for canary in [CANARY.as_bytes(), &CANARY.as_bytes()[..12], b"a.bin", key.as_bytes(), text.as_bytes()] {
        let found = memchr::memmem::find(&received, canary);
        assert_eq!(found, None, "{:?} was sent", String::from_utf8_lossy(canary));
    }
}

#[test]
fn retries_after_errors_of_the_store_send_no_plaintext() {
    let script = |request: &StoreRequest| match (request.number, request.before) {
        (1, 0) => Act::AnswerAfterwards(500, String::new()),
        (1, 1) | (3, 0) => Act::AnswerAfterwards(503, refusal("SlowDown")),
        _ => Act::Serve,
    };
    leaks_nothing(script, &[], 3);
}

#[test]
fn retries_after_a_silence_of_the_store_send_no_plaintext() {
    let script = |request: &StoreRequest| match (request.number, request.before) {
        (2, 0) => Act::Silence,
        _ => Act::Serve,
    };
    leaks_nothing(script, &["--timeout", "2s"], 1);
}

#[test]
fn retries_after_a_lost_connection_send_no_plaintext() {
    let script = |request: &StoreRequest| match (request.number, request.before) {
        (1, 0) => Act::Cut(700_000),
        (1, 1) | (3, 0) => Act::LoseAnswer,
        _ => Act::Serve,
    };
    leaks_nothing(script, &[], 3);
}

#[test]
fn a_fallback_to_the_service_sends_no_plaintext() {
    let (home, stub) = (Home::new(), Stub::start());
    stub.close_store();
    let content = CANARY.repeat(SIZE);
    let uploaded = upload(&stub, &home, content.as_bytes(), &[]);
    assert_eq!(uploaded["mode"], "bytes");
    check(&stub, &uploaded, content.len());
}
