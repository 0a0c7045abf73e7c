//! Large transfers over a bucket while servers are killed and the store fails.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sgsend::server::store::S3Location;

use crate::support::{ADMIN_KEY, Fault, FaultyBucket, FinishedCommand, Home, ReservedAddress, ServerProcess, bucket};

const GIB: u64 = 1 << 30;
/// Timeout for one command.
const PATIENCE: Duration = Duration::from_mins(4);

/// A store in a bucket that counts requests for parts and ranges, and that can fail them.
struct Watched {
    location: S3Location,
    moved: Arc<AtomicU64>,
    /// First failing request number, and the number of requests that fail.
    away: Arc<[AtomicU64; 2]>,
    _faulty: FaultyBucket,
    _runtime: tokio::runtime::Runtime,
}

impl Watched {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut location = bucket::fresh_from_anywhere();
        let moved = Arc::<AtomicU64>::default();
        let away = Arc::new([AtomicU64::new(u64::MAX), AtomicU64::new(0)]);
        let (counting, being_away) = (moved.clone(), away.clone());
        let choose = move |request: &axum::extract::Request| {
            let query = request.uri().query().unwrap_or_default();
            if !query.contains("X-Amz-Signature") && !query.contains("partNumber=") {
                return Fault::None;
            }
            let number = counting.fetch_add(1, Ordering::Relaxed);
            let from = being_away[0].load(Ordering::Relaxed);
            let is_away = number >= from && number - from < being_away[1].load(Ordering::Relaxed);
            if is_away { Fault::Refused(503) } else { Fault::None }
        };
        let endpoint = location.endpoint.as_ref().unwrap().to_string();
        let faulty = runtime.block_on(FaultyBucket::before(&endpoint, choose));
        location.endpoint = Some(faulty.url.clone());
        Self { location, moved, away, _faulty: faulty, _runtime: runtime }
    }

    /// Waits until `number` payload requests have passed.
    fn wait_for(&self, number: u64) {
        let began = std::time::Instant::now();
        while self.bytes_forwarded() < number {
            assert!(began.elapsed() < PATIENCE, "only {} requests passed", self.bytes_forwarded());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn bytes_forwarded(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    fn disconnect(&self, from: u64, requests: u64) {
        self.away[1].store(requests, Ordering::Relaxed);
        self.away[0].store(from, Ordering::Relaxed);
    }
}

/// Starts a public service at `address`.
fn public(home: &Home, location: &S3Location, address: &ReservedAddress) -> ServerProcess {
    let server = home.server().only("public").listen(&address.to_string()).storage(&location.to_string());
    server.arguments(&["--max-size", "2GiB"]).start()
}

/// Starts a service and logs a sender in; returns the service and its address.
fn started(home: &Home, location: &S3Location) -> (ServerProcess, ReservedAddress) {
    let address = ReservedAddress::new();
    let first = public(home, location, &address);
    let admin = home.server().only("admin").storage(&location.to_string()).admin_key().start();
    let servers = ["--server", &first.public, "--admin-server", &admin.admin];
    let mut making = home.sgsend(&[&servers[..], &["token", "create", "test", "--login"]].concat());
    let created = FinishedCommand::of(making.env("SGSEND_ADMIN_KEY", ADMIN_KEY).output().unwrap());
    assert_eq!(created.exit, 0, "{}", created.stderr);
    (first, address)
}

fn spawn(home: &Home, arguments: &[&str]) -> Child {
    home.sgsend(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_for_exit(child: Child) -> FinishedCommand {
    FinishedCommand::of(child.wait_with_output().unwrap())
}

/// Writes a file of `size` bytes in which no two MiB are alike; returns its path.
fn large(home: &Home, size: u64) -> String {
    let path = home.path().join("large.bin");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let mut block: Vec<u8> = (0..1_u32 << 20).map(|at| at.wrapping_mul(0x9e37_79b9).to_be_bytes()[0]).collect();
    for number in 0..size >> 20 {
        block[..8].copy_from_slice(&number.to_le_bytes());
        file.write_all(&block).unwrap();
    }
    file.flush().unwrap();
    path.to_str().unwrap().to_owned()
}

fn are_equal(home: &Home, one: &str, other: &str) -> bool {
    Command::new("cmp").args([one, other]).current_dir(home.path()).status().unwrap().success()
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn a_gibibyte_is_transferred_while_servers_are_killed() {
    let (home, watched) = (Home::new(), Watched::new());
    let (first, address) = started(&home, &watched.location);
    let server = first.public.clone();
    let file = large(&home, GIB);

    let uploading = spawn(&home, &["--server", &server, "upload", &file, "-d", "1"]);
    watched.wait_for(40);
    first.kill();
    // Signed part URLs work without the server; further URLs and completion need a server.
    watched.wait_for(60);
    let second = public(&home, &watched.location, &address);
    let link = wait_for_exit(uploading).text();

    let before = watched.bytes_forwarded();
    let downloading = spawn(&home, &["download", &link, "-o", "got.bin"]);
    watched.wait_for(before + 40);
    second.kill();
    watched.wait_for(before + 60);
    let _third = public(&home, &watched.location, &address);
    assert_eq!(wait_for_exit(downloading).exit, 0);
    assert!(are_equal(&home, &file, "got.bin"));
    home.run(&["download", &link, "-o", "again.bin"]).expect_failure(4, "download");
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn an_unavailable_store_is_retried() {
    let (home, watched) = (Home::new(), Watched::new());
    let (_public, _) = started(&home, &watched.location);
    let file = large(&home, 100 << 20);
    watched.disconnect(5, 6);
    let uploaded = home.run(&["upload", &file]);
    let link = uploaded.text();
    let before = watched.bytes_forwarded();
    watched.disconnect(before + 7, 6);
    assert_eq!(home.run(&["download", &link, "-o", "got.bin"]).exit, 0);
    assert!(are_equal(&home, &file, "got.bin"));
}

#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn bytes_flow_transfers_survive_a_server_restart() {
    let (home, watched) = (Home::new(), Watched::new());
    let (first, address) = started(&home, &watched.location);
    let file = large(&home, 200 << 20);
    let server = first.public.clone();
    let uploading = spawn(&home, &["--server", &server, "--timeout", "2m", "upload", &file, "--flow", "bytes"]);
    watched.wait_for(6);
    first.kill();
    let _second = public(&home, &watched.location, &address);
    let link = wait_for_exit(uploading).text();
    assert_eq!(home.run(&["download", &link, "-o", "got.bin"]).exit, 0);
    assert!(are_equal(&home, &file, "got.bin"));
}
