//! S3 store behind a faulty server. The real test servers never respond with 409 and never drop a response.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::Request;
use futures_util::TryStreamExt;
use sgsend::domain::audit::Retention;
use sgsend::domain::id::PayloadId;
use sgsend::domain::store::{Commit, Condition, PayloadStream, Payloads, Records, StorageKey, StoreError, open_header};
use sgsend::server::store::{S3Location, S3Store};

use crate::backends::bucket;
use crate::backends::{changing, content, creating, key, pattern, upload, value};
use crate::faulty_bucket::{Fault, FaultyBucket};

/// Opens a store behind a fault-injecting proxy, and the same store without the proxy.
async fn behind_faults(choose: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> (S3Store, S3Store, FaultyBucket) {
    let location = bucket::fresh().await;
    let faulty = FaultyBucket::before(location.endpoint.as_ref().unwrap().as_str(), choose).await;
    let detour = S3Location { endpoint: Some(faulty.url.clone()), ..location.clone() };
    (S3Store::open(&detour).await, S3Store::open(&location).await, faulty)
}

/// Applies `faults` to the first writes of `object`, one per write; all other requests pass.
fn on_writes_of(object: &'static str, faults: &'static [Fault]) -> impl Fn(&Request) -> Fault + Send + Sync {
    let writes = AtomicU32::new(0);
    move |request| {
        if request.method() != "PUT" || !request.uri().path().ends_with(object) {
            return Fault::None;
        }
        let number = writes.fetch_add(1, Ordering::Relaxed) as usize;
        faults.get(number).copied().unwrap_or(Fault::None)
    }
}

fn with_event(commit: Commit, event: &str) -> Commit {
    Commit { records: vec![(key(event), "event".into())], ..commit }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_409_between_requests_is_retried() {
    let (store, direct, _faulty) =
        behind_faults(on_writes_of("a.json", &[Fault::Refused(409), Fault::Refused(409)])).await;
    let version = store.commit(creating("a.json", "first")).await.unwrap().unwrap();
    store.commit(changing("a.json", Condition::Is(version), "second")).await.unwrap();
    assert_eq!(value(&direct, "a.json").await.unwrap(), "second");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_the_outcome_of_a_lost_response_is_determined() {
    const LOST: &[Fault] = &[Fault::Lost(500), Fault::Refused(503), Fault::Lost(503), Fault::Lost(500)];
    let (store, direct, _faulty) = behind_faults(on_writes_of("a.json", LOST)).await;
    let version = store.commit(with_event(creating("a.json", "first"), "events/1.json")).await.unwrap().unwrap();
    // The response was lost, yet the returned version is that of the stored object.
    assert_eq!(direct.get(&key("a.json")).await.unwrap().unwrap().version, version);
    let version = store.commit(with_event(changing("a.json", Condition::Is(version), "second"), "events/2.json")).await;
    let version = version.unwrap().unwrap();
    assert_eq!(value(&direct, "a.json").await.unwrap(), "second");
    // A faster writer is told apart from the own lost write.
    direct.commit(changing("a.json", Condition::Is(version.clone()), "third")).await.unwrap();
    let late = store.commit(with_event(changing("a.json", Condition::Is(version), "lost"), "events/3.json")).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    assert_eq!(value(&direct, "a.json").await.unwrap(), "third");
    for (event, there) in [("events/1.json", true), ("events/2.json", true), ("events/3.json", false)] {
        assert_eq!(value(&direct, event).await.is_some(), there, "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_an_overtaken_write_with_a_lost_response_succeeds() {
    let location = bucket::fresh().await;
    let other = Arc::new(S3Store::open(&location).await);
    let overtaking = other.clone();
    // Another writer writes between the write and the check of its outcome.
    let looks = AtomicU32::new(0);
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<()>();
    let choose = move |request: &Request| match (request.method().as_str(), request.uri().path().ends_with("a.json")) {
        ("PUT", true) => Fault::Lost(500),
        ("GET", true) => {
            if looks.fetch_add(1, Ordering::Relaxed) == 0 {
                sender.send(()).unwrap();
                std::thread::sleep(Duration::from_secs(1));
            }
            Fault::None
        }
        _ => Fault::None,
    };
    let overtaker = tokio::spawn(async move {
        receiver.recv().await.unwrap();
        let found = overtaking.get(&key("a.json")).await.unwrap().unwrap();
        overtaking.commit(changing("a.json", Condition::Is(found.version), "second")).await.unwrap();
    });
    let faulty = FaultyBucket::before(location.endpoint.as_ref().unwrap().as_str(), choose).await;
    let store = S3Store::open(&S3Location { endpoint: Some(faulty.url.clone()), ..location }).await;
    store.commit(creating("a.json", "first")).await.unwrap();
    overtaker.await.unwrap();
    assert_eq!(value(&*other, "a.json").await.unwrap(), "second");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_records_of_a_crashed_writer_are_put_by_others() {
    let is_event = |request: &Request| request.uri().path().contains("/events/");
    let choose = move |request: &Request| if is_event(request) { Fault::Refused(503) } else { Fault::None };
    let (store, direct, _faulty) = behind_faults(choose).await;
    for object in ["a.json", "b.json"] {
        let event = format!("events/{object}");
        store.commit(with_event(creating(object, "first"), &event)).await.unwrap();
        assert_eq!(value(&direct, &event).await, None);
    }
    // The next writer of the object puts the records.
    let found = direct.get(&key("a.json")).await.unwrap().unwrap();
    direct.commit(changing("a.json", Condition::Is(found.version), "second")).await.unwrap();
    assert_eq!(value(&direct, "events/a.json").await.unwrap(), "event");
    // A reader puts the records after the writer's deadline.
    let read_until_put = async {
        loop {
            assert_eq!(value(&direct, "b.json").await.unwrap(), "first");
            if let Some(event) = value(&direct, "events/b.json").await {
                return event;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), read_until_put).await.unwrap(), "event");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_server_that_ignores_conditions_is_rejected() {
    let location = bucket::fresh().await;
    // The server reports success for each conditional write without performing it.
    let choose = |request: &Request| {
        let conditional = request.headers().contains_key("if-match") || request.headers().contains_key("if-none-match");
        if conditional && request.method() == "PUT" { Fault::Lost(200) } else { Fault::None }
    };
    let faulty = FaultyBucket::before(location.endpoint.as_ref().unwrap().as_str(), choose).await;
    let store = S3Store::open(&S3Location { endpoint: Some(faulty.url.clone()), ..location }).await;
    let result = open_header(&store, Retention::default()).await;
    assert!(matches!(&result, Err(StoreError::Unusable(why)) if why.contains("If-None-Match")), "{result:?}");
}

/// Returns whether a request is a write of the header with a condition, as in the probe of the server.
fn is_probe(request: &Request) -> bool {
    let conditional = request.headers().contains_key("if-match") || request.headers().contains_key("if-none-match");
    conditional && request.method() == "PUT" && request.uri().path().ends_with("/store.json")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_server_that_fails_the_probe_is_not_used() {
    let with = async |fault: Fault| {
        // The first write creates the header; the others are the probe.
        let writes = AtomicU32::new(0);
        let choose = move |request: &Request| {
            let fails = is_probe(request) && writes.fetch_add(1, Ordering::Relaxed) > 0;
            if fails { fault } else { Fault::None }
        };
        let (store, direct, _faulty) = behind_faults(choose).await;
        let result = open_header(&store, Retention::default()).await;
        assert!(matches!(&result, Err(StoreError::Unavailable(_))), "{fault:?}: {result:?}");
        open_header(&direct, Retention::default()).await.unwrap();
    };
    tokio::join!(with(Fault::Refused(500)), with(Fault::Refused(503)), with(Fault::Lost(500)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_slow_server_is_probed_as_any_other() {
    const LATE: Duration = Duration::from_millis(300);
    let (store, _direct, _faulty) = behind_faults(|_| Fault::Late(LATE)).await;
    open_header(&store, Retention::default()).await.unwrap();
    let ignores_conditions = |request: &Request| {
        std::thread::sleep(LATE);
        if is_probe(request) { Fault::Lost(200) } else { Fault::None }
    };
    let (store, direct, _faulty) = behind_faults(ignores_conditions).await;
    open_header(&direct, Retention::default()).await.unwrap();
    let result = open_header(&store, Retention::default()).await;
    assert!(matches!(&result, Err(StoreError::Unusable(why)) if why.contains("If-None-Match")), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_an_unreachable_server_is_an_error() {
    let location = S3Location { endpoint: Some("http://127.0.0.1:1".parse().unwrap()), ..bucket::fresh().await };
    let store = S3Store::open(&location).await;
    let id = PayloadId::random();
    assert!(matches!(store.get(&key("a.json")).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.received(id).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.commit(creating("a.json", "x")).await, Err(StoreError::Unavailable(_))));
    // A missing bucket is an error, not an empty store.
    let missing = S3Location { bucket: "sgsend-no-such-bucket".to_owned(), ..bucket::fresh().await };
    let store = S3Store::open(&missing).await;
    assert!(matches!(store.get(&StorageKey::header()).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_failed_part_keeps_earlier_parts() {
    const MIB: u64 = 1 << 20;
    let parts = AtomicU32::new(0);
    let choose = move |request: &Request| {
        let part = request.uri().query().is_some_and(|query| query.contains("partNumber="));
        let second = part && parts.fetch_add(1, Ordering::Relaxed) >= 1;
        if second { Fault::Refused(400) } else { Fault::None }
    };
    let (store, direct, _faulty) = behind_faults(choose).await;
    let id = PayloadId::random();
    let mut writer = store.writer(id, 0).await.unwrap();
    let mut failed = false;
    for start in (0..40 * MIB).step_by(usize::try_from(MIB).unwrap()) {
        if writer.write(pattern(start..start + MIB)).await.is_err() {
            failed = true;
            break;
        }
    }
    assert!(failed, "the upload should fail at the second part");
    assert_eq!(writer.close().await.unwrap(), 8 * MIB);
    let mut writer = direct.writer(id, 8 * MIB).await.unwrap();
    writer.write(pattern(8 * MIB..30 * MIB)).await.unwrap();
    assert_eq!(writer.close().await.unwrap(), 30 * MIB);
    assert_eq!(direct.finish(id, 30 * MIB).await.unwrap(), 30 * MIB);
    assert!(crate::backends::content(&direct, id, 0..30 * MIB).await.unwrap() == pattern(0..30 * MIB));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_completed_payload_with_a_lost_response_is_found() {
    const SIZE: u64 = 9 << 20;
    let joined = AtomicU32::new(0);
    let choose = move |request: &Request| {
        let query = request.uri().query().unwrap_or_default();
        if request.method() == "POST" && query.contains("uploadId=") {
            joined.fetch_add(1, Ordering::Relaxed);
        }
        let notes = request.method() == "PUT" && request.uri().path().ends_with("/upload.json");
        if notes && joined.load(Ordering::Relaxed) > 0 { Fault::Refused(503) } else { Fault::None }
    };
    let (store, direct, _faulty) = behind_faults(choose).await;
    let id = PayloadId::random();
    assert_eq!(crate::backends::upload(&store, id, 0..SIZE).await.unwrap(), SIZE);
    assert!(matches!(store.finish(id, SIZE).await, Err(StoreError::Unavailable(_))));
    // No writer may continue, and a second `finish` finds the complete payload.
    assert!(matches!(direct.writer(id, SIZE).await.err(), Some(StoreError::WriterBusy)));
    assert_eq!(direct.finish(id, SIZE).await.unwrap(), SIZE);
    assert!(crate::backends::content(&direct, id, 0..SIZE).await.unwrap() == pattern(0..SIZE));
}

/// Returns the number of distinct part numbers of each open multipart upload.
///
/// A part replaces an earlier part of the same number. `SeaweedFS` keeps the earlier part, unreachable, until the
/// upload ends, and lists both.
async fn open_uploads(location: &S3Location) -> Vec<usize> {
    let client = bucket::client(location.endpoint.as_ref().unwrap().as_str()).await;
    let listed = client.list_multipart_uploads().bucket(&location.bucket).send().await.unwrap();
    let mut parts = Vec::new();
    for upload in listed.uploads() {
        let of = client.list_parts().bucket(&location.bucket).key(upload.key().unwrap());
        let of = of.upload_id(upload.upload_id().unwrap()).send().await.unwrap();
        parts.push(of.parts().iter().map(aws_sdk_s3::types::Part::part_number).collect::<BTreeSet<_>>().len());
    }
    parts
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_discarded_uploads_leave_no_parts() {
    const PART: u64 = 8 << 20;
    let location = bucket::fresh().await;
    let store = S3Store::open(&location).await;
    let id = PayloadId::random();
    for _ in 0..3 {
        let mut writer = store.writer(id, 0).await.unwrap();
        writer.write(pattern(0..3 * PART)).await.unwrap();
        writer.discard().await.unwrap();
        assert_eq!(open_uploads(&location).await, [0; 0], "parts of a discarded upload remain");
    }
    let mut writer = store.writer(id, 0).await.unwrap();
    writer.write(pattern(0..PART + 5)).await.unwrap();
    assert_eq!(writer.close().await.unwrap(), PART + 5);
    for _ in 0..3 {
        let mut writer = store.writer(id, PART + 5).await.unwrap();
        writer.write(vec![0; 3 * usize::try_from(PART).unwrap()].into()).await.unwrap();
        writer.discard().await.unwrap();
        assert_eq!(store.received(id).await.unwrap(), PART + 5);
        assert_eq!(open_uploads(&location).await, [4], "each attempt leaves additional parts");
    }
    let mut writer = store.writer(id, PART + 5).await.unwrap();
    writer.write(pattern(PART + 5..2 * PART)).await.unwrap();
    assert_eq!(writer.close().await.unwrap(), 2 * PART);
    assert_eq!(store.finish(id, 2 * PART).await.unwrap(), 2 * PART);
    assert!(content(&store, id, 0..2 * PART).await.unwrap() == pattern(0..2 * PART));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_cut_read_continues_where_it_ended() {
    // A response from the start of the payload ends early; the server may refuse to read.
    let refuses = Arc::new(AtomicBool::new(false));
    let is_refused = refuses.clone();
    let (store, direct, _faulty) =
        behind_faults(move |request| match request.headers().get("range").map(|range| range.to_str().unwrap()) {
            Some(_) if is_refused.load(Ordering::Relaxed) => Fault::Refused(503),
            Some(range) if range.starts_with("bytes=0-") || range.starts_with("bytes=17-") => Fault::Cut(100_000),
            _ => Fault::None,
        })
        .await;
    let (id, size) = (PayloadId::random(), 3 << 20);
    upload(&direct, id, 0..size).await.unwrap();
    assert_eq!(direct.finish(id, size).await.unwrap(), size);
    for range in [0..size, 17..size - 5, 0..150_000] {
        assert!(content(&store, id, range.clone()).await.unwrap() == pattern(range));
    }
    let rest_of = async |stream: PayloadStream| stream.try_fold(0, async |sum, piece| Ok(sum + piece.len())).await;
    let unread = store.read(id, 0..size).await.unwrap();
    refuses.store(true, Ordering::Relaxed);
    assert_ne!(rest_of(unread).await.unwrap_err().kind(), ErrorKind::NotFound);
    refuses.store(false, Ordering::Relaxed);
    let removed = store.read(id, 0..size).await.unwrap();
    direct.remove(id).await.unwrap();
    assert_eq!(rest_of(removed).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_cut_read_of_a_record_is_repeated() {
    // The first two reads end inside the body; those of "b.json" always do.
    let reads = Arc::new([const { AtomicU32::new(0) }; 2]);
    let counted = reads.clone();
    let (store, direct, _faulty) = behind_faults(move |request| {
        let object = ["a.json", "b.json"].into_iter().position(|name| request.uri().path().ends_with(name));
        let (true, Some(object)) = (request.method() == "GET", object) else { return Fault::None };
        let earlier = counted[object].fetch_add(1, Ordering::Relaxed);
        if object == 1 || earlier < 2 { Fault::Cut(3) } else { Fault::None }
    })
    .await;
    for object in ["a.json", "b.json"] {
        direct.commit(creating(object, "first")).await.unwrap();
    }
    assert_eq!(value(&store, "a.json").await.unwrap(), "first");
    let cut = store.get(&key("b.json")).await;
    assert!(matches!(cut, Err(StoreError::Unavailable(_))), "{cut:?}");
    assert_eq!([&reads[0], &reads[1]].map(|reads| reads.load(Ordering::Relaxed)), [3, 3]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_failing_store_leaves_retries_to_another() {
    let (failing, _direct, _faulty) =
        behind_faults(|request| if request.method() == "GET" { Fault::Refused(503) } else { Fault::None }).await;
    let reads = AtomicU32::new(0);
    let (store, direct, _faulty) = behind_faults(move |request| {
        let is_first = request.method() == "GET" && reads.fetch_add(1, Ordering::Relaxed) == 0;
        if is_first { Fault::Refused(503) } else { Fault::None }
    })
    .await;
    direct.commit(creating("a.json", "first")).await.unwrap();
    // More failures than a client may retry.
    let name = key("a.json");
    let failed = futures_util::future::join_all((0..200).map(|_| failing.get(&name))).await;
    assert!(failed.iter().all(Result::is_err));
    assert_eq!(value(&store, "a.json").await.unwrap(), "first");
}
