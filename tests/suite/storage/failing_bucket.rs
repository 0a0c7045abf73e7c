//! Buckets whose server fails or is slow: limits, access, deletions, streams, and what errors reveal.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::extract::Request;
use futures_util::future::join_all;
use sgsend::domain::address::{TrustedProxies, network};
use sgsend::domain::crypto::key::PayloadKey;
use sgsend::domain::crypto::proof::{AccessProof, Grant};
use sgsend::domain::id::PayloadId;
use sgsend::domain::store::{Payloads, StorageKey, read};
use sgsend::domain::transfer::Transfer;
use sgsend::server::store::{S3Location, S3Store};
use sgsend::server::{ClientAddressResolver, RateMode, StorageLocation};

use crate::support::{Api, ApiResponse, Fault, FaultyBucket, Home, Service, Started, bucket, eventually};

/// Delay of a slow bucket.
const LATE: Duration = Duration::from_millis(100);
/// Maximum attempts of a client until the bucket has answered.
const ATTEMPTS: usize = 100;

/// Faults of a bucket, by the number of the request.
type Faults = fn(u32) -> Fault;

/// Fails more than a third of the requests, half of these after they took effect.
fn failing(number: u32) -> Fault {
    match number % 8 {
        1 => Fault::Refused(503),
        4 => Fault::Lost(500),
        6 => Fault::Lost(503),
        _ => Fault::None,
    }
}

/// Delays every second request.
fn slow(number: u32) -> Fault {
    if number.is_multiple_of(2) { Fault::Late(LATE) } else { Fault::None }
}

/// A bucket behind proxies with faults, while these are switched on.
struct FlakyBucket {
    direct: S3Location,
    is_flaky: Arc<AtomicBool>,
    proxies: Vec<FaultyBucket>,
}

impl FlakyBucket {
    async fn new() -> Self {
        Self { direct: bucket::fresh().await, is_flaky: Arc::default(), proxies: Vec::new() }
    }

    /// Returns the location behind another proxy, which uses `choose` while faults are on.
    async fn behind(&mut self, choose: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> S3Location {
        let is_flaky = self.is_flaky.clone();
        let choose =
            move |request: &Request| if is_flaky.load(Ordering::Relaxed) { choose(request) } else { Fault::None };
        let proxy = FaultyBucket::before(self.direct.endpoint.as_ref().unwrap().as_str(), choose).await;
        let location = S3Location { endpoint: Some(proxy.url.clone()), ..self.direct.clone() };
        self.proxies.push(proxy);
        location
    }

    /// Starts a service behind a proxy with these faults.
    async fn service(&mut self, faults: Faults) -> Started {
        let requests = AtomicU32::new(0);
        let location = self.behind(move |_| faults(requests.fetch_add(1, Ordering::Relaxed))).await;
        Service::at(StorageLocation::S3(location)).start().await
    }

    fn switch(&self, is_flaky: bool) {
        self.is_flaky.store(is_flaky, Ordering::Relaxed);
    }

    /// Returns the id of a transfer's payload, which the payload's name contains.
    async fn payload_id(&self, id: &str) -> PayloadId {
        let (store, key) = (S3Store::open(&self.direct).await, StorageKey::transfer(id.parse().unwrap()));
        read::<Transfer>(&store, &key).await.unwrap().unwrap().value.payload_id()
    }

    /// Returns the stored size of a payload.
    async fn stored(&self, id: &str) -> u64 {
        S3Store::open(&self.direct).await.received(self.payload_id(id).await).await.unwrap()
    }
}

fn path(id: &str, verb: &str) -> String {
    format!("/transfers/id/{id}/{verb}")
}

/// Repeats a request until the bucket has answered.
async fn answered(api: &Api, path: &str, body: &str) -> ApiResponse {
    for _ in 0..ATTEMPTS {
        let response = api.post(path).json(body).send().await;
        if response.status != 503 {
            return response;
        }
    }
    panic!("{path} has no answer")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_limits_are_exact_on_a_failing_or_slow_bucket() {
    let with = async |faults: Faults| {
        let mut bucket = FlakyBucket::new().await;
        let (one, other) = (bucket.service(faults).await, bucket.service(faults).await);
        let created = one.admin().post("/tokens/create").json(r#"{"name":"limited","max_transfers":3}"#).send().await;
        let bearer = format!("Bearer {}", created.text("token"));
        let senders = [&one, &other].map(|service| service.public().with_header("authorization", &bearer));
        let id = senders[0].send_payload(b"abc", r#""max_downloads":3"#).await;

        bucket.switch(true);
        let grants = join_all((0..6).map(async |number: usize| {
            let body = format!(r#"{{"grant":"{}"}}"#, *Grant::random().to_text());
            answered(&senders[number % 2], &path(&id, "download/create-presign-url"), &body).await
        }));
        let transfers = join_all((0..5).map(async |number: usize| {
            let body = format!(r#"{{"size_bytes":1,"idempotency_key":"{number:064x}"}}"#);
            answered(&senders[number % 2], "/transfers/create", &body).await
        }));
        let (grants, transfers) = tokio::join!(grants, transfers);
        bucket.switch(false);

        let granted = grants.iter().filter(|response| response.status == 200).count();
        assert_eq!(granted, 3, "{grants:?}");
        assert!(grants.iter().all(|response| response.status == 200 || response.code() == "transfer_exhausted"));
        assert_eq!(senders[0].status(&id).await.number("download_count"), 3);
        let made = transfers.iter().filter(|response| response.status == 201).count();
        // The first transfer of the token is that with the downloads.
        assert_eq!(made, 2, "{transfers:?}");
        assert!(transfers.iter().all(|response| response.status == 201 || response.code() == "quota_exceeded"));
    };
    tokio::join!(with(failing), with(slow));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_an_id_alone_gives_nothing_on_a_failing_or_slow_bucket() {
    let with = async |faults: Faults| {
        let mut bucket = FlakyBucket::new().await;
        let service = bucket.service(faults).await;
        let sender = service.sender().await;
        let proof = AccessProof::of(&PayloadKey::random());
        let wrong = AccessProof::of(&PayloadKey::random());
        let digest = proof.digest();
        let members = format!(r#""access_sha256":"{digest}","access_from_passphrase":false,"max_downloads":2"#);
        let id = sender.send_payload(b"abc", &members).await;
        bucket.switch(true);
        let verbs = [("POST", "download/create-presign-url"), ("GET", "payload/download-bytes"), ("POST", "delete")];
        let wrong = wrong.to_text();
        let requests = verbs.iter().cycle().take(12).zip([None, Some(&wrong)].into_iter().cycle());
        let responses = join_all(requests.map(async |((method, verb), proof)| {
            let request = service.public().request(method, &path(&id, verb));
            let request = proof.iter().fold(request, |request, proof| request.header("x-sgsend-access", proof));
            (verb, request.send().await)
        }));
        for (verb, response) in responses.await {
            assert!([401, 403, 503].contains(&response.status), "{verb}: {response:?}");
        }
        bucket.switch(false);
        let status = sender.status(&id).await;
        assert_eq!((status.text("status").as_str(), status.number("download_count")), ("completed", 0));
        let granted = service.public().post(&path(&id, "download/create-presign-url"));
        assert_eq!(granted.header("x-sgsend-access", &proof.to_text()).send().await.status, 200);
    };
    tokio::join!(with(failing), with(slow));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_a_deletion_is_acknowledged_once_a_failing_or_slow_bucket_has_removed_the_payload() {
    let with = async |fault: Fault| {
        let mut bucket = FlakyBucket::new().await;
        let removes = |request: &Request| {
            request.method() == "DELETE" || request.uri().query().is_some_and(|query| query.starts_with("delete"))
        };
        let location = bucket.behind(move |request| if removes(request) { fault } else { Fault::None }).await;
        let service = Service::at(StorageLocation::S3(location)).start().await;
        let sender = service.sender().await;
        let id = sender.send_payload(b"abc", "").await;
        bucket.switch(true);
        let started = Instant::now();
        let deleted = sender.post(&path(&id, "delete")).json("{}").send().await;
        if deleted.status == 200 {
            assert!(matches!(fault, Fault::Late(_)) && started.elapsed() >= LATE, "{fault:?}: {deleted:?}");
            assert_eq!(bucket.stored(&id).await, 0, "{fault:?}");
        } else {
            assert_eq!((deleted.status, deleted.code().as_str()), (503, "storage_unavailable"), "{fault:?}");
            assert_eq!(bucket.stored(&id).await, 3, "{fault:?}");
        }
        bucket.switch(false);
        assert_eq!(sender.post(&path(&id, "delete")).json("{}").send().await.status, 200);
        assert_eq!(bucket.stored(&id).await, 0);
        // Another server, which knows the bucket only.
        let other = Service::at(StorageLocation::S3(bucket.direct.clone())).start().await;
        assert_eq!(other.public().status(&id).await.text("status"), "deleted");
    };
    tokio::join!(with(Fault::Refused(503)), with(Fault::Late(LATE)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn s3_downloads_from_a_slow_bucket_keep_no_other_network_out() {
    let mut bucket = FlakyBucket::new().await;
    // Reads of this payload wait.
    let slow = Arc::<OnceLock<String>>::default();
    let is_slow = slow.clone();
    let location = bucket
        .behind(move |request| {
            let is_read = request.method() == "GET" && request.headers().contains_key("range");
            let waits = is_read && is_slow.get().is_some_and(|payload| request.uri().path().contains(payload));
            if waits { Fault::Held } else { Fault::None }
        })
        .await;
    let behind = |settings: &mut sgsend::server::Settings| {
        let proxies = TrustedProxies::new(vec![network("127.0.0.1").unwrap()]);
        settings.client_address = ClientAddressResolver { proxies, ..ClientAddressResolver::default() };
        settings.rate = RateMode::Limited("100000/s".parse().unwrap());
    };
    let service = Service::at(StorageLocation::S3(location)).with(behind).start().await;
    let sender = service.sender().await;
    let (id, other) = (sender.send_payload(&[7; 9], "").await, sender.send_payload(&[7; 9], "").await);
    slow.set(bucket.payload_id(&id).await.to_string()).unwrap();
    bucket.switch(true);
    let (rejected, served) = (AtomicU32::new(0), AtomicU32::new(0));
    let download = async |id: &str, address: &str| {
        let request = service.public().get(&path(id, "payload/download-bytes")).header("x-forwarded-for", address);
        let status = request.send().await.status;
        rejected.fetch_add(u32::from(status == 429), Ordering::Relaxed);
        served.fetch_add(u32::from(status == 200), Ordering::Relaxed);
        status
    };
    let of_one_network = join_all((0..80).map(|_| download(&id, "203.0.113.7")));
    let of_others = async {
        eventually(|| async { (rejected.load(Ordering::Relaxed) == 16).then_some(()) }).await;
        assert_eq!(service.public().get("/health").send().await.status, 200);
        assert_eq!(download(&other, "198.51.100.7").await, 200);
        // All others wait for the bucket.
        assert_eq!(served.load(Ordering::Relaxed), 1);
        bucket.switch(false);
    };
    let (statuses, ()) = tokio::join!(of_one_network, of_others);
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(429)), (64, 16));
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn s3_errors_of_a_bucket_name_no_address_and_no_secret() {
    const ADDRESS: &str = "203.0.113.77";
    let home = Home::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut bucket = runtime.block_on(FlakyBucket::new());
    let requests = AtomicU32::new(0);
    // Enough failures that reads give up, and few enough that writes succeed in the end.
    let choose = move |_: &Request| match requests.fetch_add(1, Ordering::Relaxed) {
        number @ 0..24 => Fault::Refused(if number.is_multiple_of(2) { 503 } else { 500 }),
        _ => Fault::Late(LATE),
    };
    let location = runtime.block_on(bucket.behind(choose));
    let server = home.server().storage(&location.to_string()).admin_key().env("SGSEND_LOG", "debug");
    let serving = server.arguments(&["--trusted-proxy", "127.0.0.1"]).start();
    let token = home.run_at(&serving, &["token", "create", "test"]).text();
    let (grant, proof) = (Grant::random().to_text(), AccessProof::of(&PayloadKey::random()).to_text());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |path: &str, body: String| {
        let request = http.post(format!("{}{path}", serving.public)).body(body).bearer_auth(&token);
        let request = request.header("x-forwarded-for", ADDRESS).header("x-sgsend-access", proof.as_str());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let printed = runtime.block_on(async {
        let (status, created) = post("/transfers/create", r#"{"size_bytes":3}"#.to_owned()).await;
        assert_eq!(status, 201, "{created}");
        let created: serde_json::Value = serde_json::from_str(&created).unwrap();
        let id = created["transfer_id"].as_str().unwrap();
        bucket.switch(true);
        let paths = ["payload/upload-bytes", "download/create-presign-url"].map(|verb| path(id, verb));
        let requests = tokio::join!(
            post(&paths[0], "abc".to_owned()),
            post(&paths[1], format!(r#"{{"grant":"{}"}}"#, *grant)),
            post("/transfers/create", r#"{"size_bytes":1}"#.to_owned())
        );
        let requests = [requests.0, requests.1, requests.2];
        bucket.switch(false);
        assert!(requests.iter().any(|(status, _)| *status == 503), "{requests:?}");
        requests.map(|(_, body)| body).concat()
    });
    let log = serving.terminate();
    assert!(log.contains("request failed"), "the log lacks the errors: {log}");
    let stored = runtime.block_on(contents(&bucket.direct));
    assert!(stored.contains("transfer.create"), "the search misses a text that is known to be stored");
    for secret in [ADDRESS, "203.0.113", &token[21..], grant.as_str(), proof.as_str()] {
        for (place, text) in [("log", &log), ("bucket", &stored), ("response", &printed)] {
            assert!(!text.contains(secret), "{secret} is in the {place}");
        }
    }
}

/// Returns the content of all objects in a bucket.
async fn contents(location: &S3Location) -> String {
    let client = bucket::client(location.endpoint.as_ref().unwrap().as_str()).await;
    let listed = client.list_objects_v2().bucket(&location.bucket).send().await.unwrap();
    let mut all = String::new();
    for object in listed.contents() {
        let found = client.get_object().bucket(&location.bucket).key(object.key().unwrap()).send().await.unwrap();
        all += &String::from_utf8_lossy(&found.body.collect().await.unwrap().into_bytes());
    }
    all
}
