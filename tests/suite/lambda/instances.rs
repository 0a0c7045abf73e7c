//! Several instances at once; instances that are suspended, killed and ended.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sgsend::domain::audit::ServiceName;
use sgsend::domain::link::Link;
use sgsend::server::store::S3Location;

use super::{World, api};
use crate::support::{ADMIN_KEY, Fault, FaultyBucket, FinishedCommand, bucket};

/// Maximum number of instances in tests of several ones.
const INSTANCES: usize = 3;

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn records_and_counters_are_written_before_the_response() {
    let world = World::new(1, &[]);
    let link = world.upload(&[]);
    world.run(&["download", &link, "-o", "got.txt"]);
    world.run(&["status", &link]);
    // The process gets no time after its last response.
    world.functions.public.end_instances();
    let trail = world.run(&["audit", "show", &link, "--json"]).text();
    for action in ["transfer.create", "upload.complete", "download.grant", "transfer.status"] {
        assert!(trail.contains(&format!("\"{action}\"")), "no {action} in {trail}");
    }
    let stats = world.run(&["stats", "--json"]).json();
    let today = stats["days"].as_array().unwrap().last().unwrap();
    assert_eq!((&today["created"], &today["downloads"]), (&1.into(), &1.into()), "{stats}");
    let shown = world.run(&["status", &link, "--json"]).json();
    assert_eq!(shown["download_count"], 1, "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn limits_are_exact_over_several_instances() {
    let world = World::new(INSTANCES, &[("SGSEND_RATE_LIMIT", "off")]);
    let link = world.upload(&["-d", "7"]);
    let id = link.split("/d/").nth(1).unwrap().split('#').next().unwrap().to_owned();
    let proof = access_proof(&link);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let anyone = api(ServiceName::Public, &world.functions.public).with_header("x-sgsend-access", &proof);
        let path = format!("/transfers/id/{id}/download/create-presign-url");
        asking.spawn(async move {
            let response = anyone.post(&path).json("{}").send().await;
            assert!(response.status == 200 || response.code() == "transfer_exhausted", "{response:?}");
            usize::from(response.status == 200)
        });
    }
    assert_eq!(asking.join_all().await.into_iter().sum::<usize>(), 7);
    // The emulator starts another instance while all others are busy.
    let instances = world.functions.public.instances();
    assert!((2..=INSTANCES).contains(&instances), "{instances} instances: the requests were not concurrent");
    let sender = world.sender(&["--max-transfers", "5"]);
    let mut creating = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let sender = sender.clone();
        creating.spawn(async move {
            let response = sender.post("/transfers/create").json(r#"{"size_bytes":3}"#).send().await;
            assert!(response.status == 201 || response.code() == "quota_exceeded", "{response:?}");
            usize::from(response.status == 201)
        });
    }
    assert_eq!(creating.join_all().await.into_iter().sum::<usize>(), 5);
    let stats = world.run(&["stats", "--json"]).json();
    let today = stats["days"].as_array().unwrap().last().unwrap();
    assert_eq!((&today["created"], &today["downloads"]), (&6.into(), &7.into()), "{stats}");
    world.check_store();
}

/// Returns the access proof of a link with a download limit.
fn access_proof(link: &str) -> String {
    let link: Link = link.parse().unwrap();
    let Ok(secret) = link.key.expect("a link with its key").unlock(None) else { panic!("a key without passphrase") };
    secret.access_proof().to_text().to_string()
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn an_instance_that_is_suspended_in_a_request_continues_it() {
    let world = World::new(2, &[]);
    let link = world.upload(&["-d", "1"]);
    // Both the creation of a transfer and a counted download continue after others have been served.
    for arguments in [vec!["upload", "small.txt"], vec!["download", &link, "-o", "got.txt"]] {
        world.functions.public.freeze_next();
        let mut command = world.home.sgsend(&[&["--server", &world.functions.public.url], &arguments[..]].concat());
        let waiting = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        world.functions.public.wait_for_frozen();
        world.run(&["status", &link]).text();
        world.functions.public.thaw();
        let finished = FinishedCommand::of(waiting.wait_with_output().unwrap());
        assert_eq!(finished.exit, 0, "{arguments:?}: {}", finished.stderr);
    }
    assert_eq!(world.run(&["download", &link, "-o", "again.txt"]).exit, 4);
    world.check_store();
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn a_killed_instance_loses_nothing_that_was_acknowledged() {
    // The n-th request to the bucket kills the instance that has sent it.
    let (count, kill_at) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(u64::MAX)));
    let killer = Arc::<std::sync::OnceLock<Box<dyn Fn() + Send + Sync>>>::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut location: S3Location = bucket::fresh_from_anywhere();
    let endpoint = location.endpoint.as_ref().unwrap().to_string();
    let (counting, at, kill) = (count.clone(), kill_at.clone(), killer.clone());
    let choose = move |request: &axum::extract::Request| {
        let is_presigned = request.uri().query().unwrap_or_default().contains("X-Amz-Signature");
        if !is_presigned && counting.fetch_add(1, Ordering::SeqCst) == at.load(Ordering::SeqCst) {
            kill.get().unwrap()();
        }
        Fault::None
    };
    let direct = location.to_string();
    let faulty = runtime.block_on(FaultyBucket::before(&endpoint, choose));
    location.endpoint = Some(faulty.url.clone());
    let world = World { storage: direct, ..World::over(location.to_string(), 1, &[]) };
    assert!(killer.set(Box::new(world.functions.public.killer())).is_ok());
    for after in [0, 2, 5, 9] {
        let link = world.upload(&["-d", "1"]);
        for arguments in [vec!["upload", "small.txt"], vec!["download", &link, "-o", "got.txt", "--overwrite"]] {
            kill_at.store(count.load(Ordering::SeqCst) + after, Ordering::SeqCst);
            let finished = world.run(&arguments);
            assert_eq!(finished.exit, 0, "killed after {after} requests, {arguments:?}: {}", finished.stderr);
        }
        assert_eq!(world.run(&["download", &link, "-o", "more.txt"]).exit, 4, "killed after {after} requests");
    }
    kill_at.store(u64::MAX, Ordering::SeqCst);
    assert!(world.functions.public.cold_starts().len() > 4, "no instance was killed");
    // A kill between a change and its counters loses the latter, which only the statistics show.
    let checked = world.home.run(&["store", "check", &world.storage]);
    let report = String::from_utf8(checked.stdout).unwrap();
    let is_expected = |line: &str| line.starts_with("counters ") || line.starts_with("no problems found");
    assert!(report.lines().all(|line| line.is_empty() || is_expected(line)), "{report}");
}

/// A TCP proxy whose connections can be cut.
struct CuttableProxy {
    url: String,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl CuttableProxy {
    fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let streams = Arc::<Mutex<Vec<TcpStream>>>::default();
        let open = streams.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&target).unwrap();
                let copy = |stream: &TcpStream| stream.try_clone().unwrap();
                open.lock().unwrap().extend([copy(&client), copy(&server)]);
                for (mut from, mut to) in [(copy(&client), copy(&server)), (server, client)] {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { url, streams }
    }

    /// Cuts all connections; returns their number.
    fn cut(&self) -> usize {
        let streams = std::mem::take(&mut *self.streams.lock().unwrap());
        streams.iter().filter(|stream| stream.shutdown(Shutdown::Both).is_ok()).count() / 2
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn connections_that_died_while_an_instance_was_suspended_fail_no_request() {
    let mut location: S3Location = bucket::fresh().await;
    let endpoint = location.endpoint.as_ref().unwrap();
    let address = format!("{}:{}", endpoint.host_str().unwrap(), endpoint.port().unwrap());
    let proxy = CuttableProxy::to(address);
    location.endpoint = Some(proxy.url.parse().unwrap());
    let world = World::over(location.to_string(), 1, &[]);
    // A list reads its objects at once, each over a connection of its own.
    for number in 0..10 {
        world.run(&["token", "create", &format!("test {number}")]).text();
    }
    let admin = api(ServiceName::Admin, &world.functions.admin).with_header("x-api-key", ADMIN_KEY);
    for _ in 0..5 {
        let listed = admin.get("/tokens/list").send().await;
        assert_eq!((listed.status, listed.items().len()), (200, 11), "{listed:?}");
        let cut = proxy.cut();
        assert!(cut >= 5, "only {cut} connections were open");
    }
    assert_eq!(world.functions.admin.cold_starts().len(), 1);
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn a_cold_start_fits_into_the_time_of_the_platform() {
    let world = World::new(1, &[]);
    for _ in 0..3 {
        world.run(&["token", "list"]).text();
        world.functions.admin.end_instances();
    }
    let starts = world.functions.admin.cold_starts();
    println!("cold starts: {starts:?}");
    // The platform gives a function 10 s before its first event.
    assert!(starts.len() >= 3 && starts.iter().all(|start| start.as_secs() < 10), "{starts:?}");
}
