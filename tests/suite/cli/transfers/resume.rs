//! Interrupted uploads and downloads, and resuming them.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Output};
use std::sync::Mutex;

use http::Method;
use serde_json::Value;
use sgsend::domain::crypto::random;

use crate::support::stub::{Act, Asked, MIB, Plan, Stub, Terms};
use crate::support::{Gate, Home, Said, Serving, Way, content};

/// Content size in bytes.
const SIZE: u64 = LENGTH as u64;
const LENGTH: u32 = 300 << 20;
/// Number of interruptions per transfer.
const INTERRUPTIONS: u64 = 10;

/// Signals that end a process, with the expected exit status.
const SIGNALS: [(&str, i32); 3] = [("INT", 130), ("KILL", -1), ("TERM", 143)];

/// Returns payload offsets in ascending order: a random offset in each of `INTERRUPTIONS` equal stretches, and none so
/// near the end that a single attempt could reach the end.
fn points() -> Vec<u64> {
    let stretch = (SIZE - (40 << 20)) / INTERRUPTIONS;
    let random = |number| number * stretch + 4_000_000 + u64::from_be_bytes(random::bytes()) % (stretch - 4_000_000);
    (0..INTERRUPTIONS).map(random).collect()
}

/// Checks the JSON error of a process that was interrupted by a signal; SIGKILL leaves no output.
fn told(output: &Output, (signal, _): (&str, i32), resumable: bool) {
    if signal != "KILL" {
        let failure: Value = serde_json::from_slice(&output.stdout).expect("a JSON error about the interruption");
        assert_eq!(failure["error"]["resumable"], resumable, "{failure}");
    }
}

/// A service, a gate in front of it, and a sender that connects through the gate.
struct World {
    home: Home,
    serving: Serving,
    gate: Gate,
    token: String,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let store = format!("file:{}", home.path().join("store").display());
        let serving = home.serve(&["--storage", &store, "--max-size", "1GiB"]);
        let token = home.run_at(&serving, &["token", "create", "test"]).text();
        let gate = Gate::to(&serving.public);
        Self { home, serving, gate, token: token.trim().to_owned() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.sgsend(&[&["--server", &self.gate.url], arguments].concat());
        command.env("SGSEND_TOKEN", &self.token);
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }

    /// Deletes a transfer from another home, so that the local state of the transfer stays.
    fn delete_elsewhere(&self, id: &str) {
        let elsewhere = Home::new();
        let mut deleting = elsewhere.sgsend(&["--server", &self.gate.url, "delete", id]);
        assert!(deleting.env("SGSEND_TOKEN", &self.token).status().unwrap().success());
    }

    fn transfers(&self, status: &str) -> u64 {
        self.home.run_at(&self.serving, &["stats", "--json"]).json()["transfers"][status].as_u64().unwrap()
    }
}

fn started(mut command: Command) -> Child {
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success());
}

/// Ends a process with this signal and checks its exit status.
fn end(child: Child, (signal, exit): (&str, i32)) -> Output {
    send(&child, signal);
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code().unwrap_or(-1), exit, "{told} {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Returns the files of unfinished transfers in the client's state directory.
fn left(home: &Home, kind: &str) -> Vec<String> {
    let folder = home.path().join(".local/state/sgsend").join(kind);
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_repeatedly_interrupted_upload_sends_nothing_twice() {
    let world = World::new();
    let content = content(LENGTH);
    let file = world.home.file("a.bin", &content);
    let points = points();
    for (number, point) in (0..).zip(&points) {
        let passed = world.gate.passed(Way::There);
        world.gate.close_after(Way::There, point.saturating_sub(passed).max(1_000_000));
        let upload = started(world.command(&["upload", &file, "-d", "3", "--resume", "--json"]));
        world.gate.wait();
        let signal = SIGNALS[number % SIGNALS.len()];
        told(&end(upload, signal), signal, true);
        world.gate.open();
        assert_eq!(left(&world.home, "uploads").len(), 1, "interrupted at {points:?}");
    }
    let said = world.run(&["upload", &file, "-d", "3", "--resume", "--json"]);
    assert_eq!(said.exit, 0, "{} {} at {points:?}", said.stderr, String::from_utf8_lossy(&said.stdout));
    assert_eq!(left(&world.home, "uploads"), [""; 0]);
    assert_eq!((world.transfers("completed"), world.transfers("pending"), world.transfers("deleted")), (1, 0, 0));
    // After an interruption, the server refuses the next request until it gives up the broken one, and part of the
    // refused request has been sent by then.
    let sent = world.gate.passed(Way::There);
    assert!(sent < SIZE + INTERRUPTIONS * (4 << 20), "{sent} bytes were sent, with interruptions at {points:?}");

    let link = said.json()["link"].as_str().unwrap().to_owned();
    world.run(&["download", &link, "-o", "b.bin"]).text();
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content, "interrupted at {points:?}");
}

#[test]
fn a_repeatedly_interrupted_download_counts_once() {
    let world = World::new();
    let content = content(LENGTH);
    let file = world.home.file("a.bin", &content);
    let link = world.run(&["upload", &file, "-d", "1"]).text();
    let points = points();
    let before = world.gate.passed(Way::Back);
    let arguments = ["download", link.trim(), "-o", "b.bin", "--resume", "--json"];
    for (number, point) in (0..).zip(&points) {
        let passed = world.gate.passed(Way::Back) - before;
        world.gate.close_after(Way::Back, point.saturating_sub(passed).max(4_000_000));
        let download = started(world.command(&arguments));
        world.gate.wait();
        let signal = SIGNALS[number % SIGNALS.len()];
        // The first interruption may precede the first complete segment.
        let output = end(download, signal);
        told(&output, signal, left(&world.home, "downloads").len() == 2);
        world.gate.open();
        assert!(!world.home.path().join("b.bin").exists());
    }
    let said = world.run(&arguments);
    assert_eq!(said.exit, 0, "{} {} at {points:?}", said.stderr, String::from_utf8_lossy(&said.stdout));
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content, "interrupted at {points:?}");
    assert_eq!(left(&world.home, "downloads"), [""; 0]);
    // Incomplete segments and bytes in flight are downloaded again.
    let fetched = world.gate.passed(Way::Back) - before;
    assert!(
        fetched < SIZE + INTERRUPTIONS * 8_000_000,
        "{fetched} bytes were downloaded, with interruptions at {points:?}"
    );
    let again = world.run(&["download", link.trim(), "-o", "c.bin"]);
    again.failed(4, "download limit");
}

#[test]
fn a_network_failure_leaves_a_resumable_transfer() {
    let world = World::new();
    let content = content(30 << 20);
    let file = world.home.file("a.bin", &content);
    world.gate.close_after(Way::There, 12 << 20);
    let failed = |said: &Said| {
        assert_eq!(said.exit, 10, "{}", said.stderr);
        let error = &said.json()["error"];
        assert_eq!((&error["resumable"], &error["retryable"]), (&true.into(), &true.into()));
        assert!(error["hint"].as_str().unwrap().contains("--resume"), "{error}");
    };
    failed(&world.run(&["upload", &file, "--json", "--timeout", "2s"]));
    world.gate.open();
    let link = world.run(&["upload", &file, "--resume"]).text();
    world.gate.close_after(Way::Back, 12 << 20);
    failed(&world.run(&["download", link.trim(), "-o", "b.bin", "--json", "--timeout", "2s"]));
    world.gate.open();
    world.run(&["download", link.trim(), "-o", "b.bin", "--resume"]).text();
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content);
    let status = world.run(&["status", link.trim(), "--json"]).json();
    assert_eq!(status["download_count"], 1);
}

/// Uploads until the gate closes, then kills the process.
fn half_sent(world: &World, file: &str, extra: &[&str]) {
    world.gate.close_after(Way::There, 12 << 20);
    let upload = started(world.command(&[&["upload", file], extra].concat()));
    world.gate.wait();
    end(upload, SIGNALS[1]);
    world.gate.open();
}

/// Downloads until the gate closes after `bytes` bytes, then ends the process.
fn half_fetched(world: &World, link: &str, bytes: u64, signal: (&str, i32)) {
    world.gate.close_after(Way::Back, bytes);
    let download = started(world.command(&["download", link.trim(), "-o", "b.bin"]));
    world.gate.wait();
    end(download, signal);
    world.gate.open();
}

#[test]
fn a_changed_file_is_not_resumed() {
    let world = World::new();
    let mut content = content(30 << 20);
    let file = world.home.file("a.bin", &content);
    half_sent(&world, &file, &[]);
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    // Changes content that is already uploaded, and restores the mtime.
    content[5_000_000] ^= 1;
    fs::write(&file, &content).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    world.run(&["upload", &file, "--resume"]).failed(9, "changed");
    assert_eq!((left(&world.home, "uploads"), world.transfers("deleted")), (vec![], 1));

    half_sent(&world, &file, &[]);
    fs::write(&file, &content).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    world.run(&["upload", &file, "--resume"]).failed(9, "changed");
    assert_eq!((left(&world.home, "uploads"), world.transfers("deleted")), (vec![], 2));
}

#[test]
fn unfinished_transfers_are_listed() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(30 << 20));
    let link = world.run(&["upload", &file]).text();
    half_fetched(&world, &link, 12 << 20, SIGNALS[1]);
    half_sent(&world, &file, &[]);
    let listed = world.run(&["history", "--json"]).json();
    let (sent, fetched) = (&listed["unfinished"][0], &listed["unfinished"][1]);
    assert_eq!((sent["kind"].as_str(), sent["name"].as_str()), (Some("upload"), Some("a.bin")), "{listed}");
    assert_eq!(sent["transfer_id"], left(&world.home, "uploads")[0].as_str());
    assert_eq!(fetched["kind"], "download");
    assert!(link.contains(fetched["transfer_id"].as_str().unwrap()), "{listed}");
    assert!(fetched["name"].as_str().unwrap().contains(".part"), "{listed}");
    let said = world.run(&["history"]).stderr;
    assert!(said.contains("unfinished: a.bin, upload to ") && said.contains("--resume"), "{said}");
    world.run(&["upload", &file, "--resume"]).text();
    world.run(&["download", link.trim(), "-o", "b.bin", "--resume"]).text();
    assert_eq!(world.run(&["history", "--json"]).json()["unfinished"].as_array().unwrap().len(), 0);
}

#[test]
fn other_options_or_a_deleted_transfer_start_a_new_upload() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    half_sent(&world, &file, &[]);
    let id = left(&world.home, "uploads").pop().unwrap();
    // Different options start a different upload.
    let other = world.run(&["upload", &file, "-d", "2", "--resume", "--json"]).json();
    assert_ne!(other["transfer_id"], id.as_str());
    assert_eq!((left(&world.home, "uploads"), world.transfers("pending")), (vec![id.clone()], 1));
    world.delete_elsewhere(&id);
    let anew = world.run(&["upload", &file, "--resume", "--json", "--verbose"]);
    assert_eq!(anew.exit, 0, "{}", anew.stderr);
    assert!(anew.stderr.contains("starting a new one"), "{}", anew.stderr);
    assert_eq!((left(&world.home, "uploads"), world.transfers("completed")), (vec![], 2));
}

#[test]
fn non_resumable_transfers_leave_no_state() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    world.gate.close_after(Way::There, 12 << 20);
    let upload = started(world.command(&["upload", &file, "--no-resume-state", "--json"]));
    world.gate.wait();
    // Lets the process delete its transfer before it exits.
    world.gate.let_others_in();
    send(&upload, "INT");
    let output = upload.wait_with_output().unwrap();
    let failure: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), world.transfers("deleted")), (Some(130), 1));
    assert_eq!(failure["error"]["resumable"], false, "{failure}");
    assert_eq!(left(&world.home, "uploads"), [""; 0]);
}

#[test]
fn resuming_reuses_the_stored_passphrase_key() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    let (right, wrong) = (world.home.file("right", b"secret words"), world.home.file("wrong", b"others"));
    half_sent(&world, &file, &["--passphrase-file", &right]);
    world.run(&["upload", &file, "--resume", "--passphrase-file", &wrong]).failed(2, "another passphrase");
    // No terminal is available for a prompt.
    let link = world.run(&["upload", &file, "--resume", "--passphrase"]).text();
    let fetched = world.run(&["download", link.trim(), "-o", "b.bin", "--passphrase-file", &right]);
    assert_eq!(fetched.exit, 0, "{}", fetched.stderr);
}

#[test]
fn a_tampered_partial_file_is_downloaded_again_from_the_first_bad_segment() {
    let world = World::new();
    let content = content(30 << 20);
    let file = world.home.file("a.bin", &content);
    let link = world.run(&["upload", &file]).text();
    half_fetched(&world, &link, 20 << 20, SIGNALS[1]);
    let part = world.home.path().join(format!(".sgsend-{}.part", &left(&world.home, "downloads")[0][..8]));
    let mut kept = fs::read(&part).unwrap();
    assert!(kept.len() > 10 << 20, "{}", kept.len());
    kept[6_000_000] ^= 1;
    fs::write(&part, kept).unwrap();
    let before = world.gate.passed(Way::Back);
    world.run(&["download", link.trim(), "-o", "b.bin", "--resume"]).text();
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content);
    let fetched = world.gate.passed(Way::Back) - before;
    assert!((24 << 20..26 << 20).contains(&fetched), "{fetched} bytes were downloaded again");
    assert!(!part.exists());
}

#[test]
fn a_wrong_key_keeps_the_partial_file() {
    let world = World::new();
    let content = content(40 << 20);
    let file = world.home.file("a.bin", &content);
    let link = world.run(&["upload", &file]).text();
    half_fetched(&world, &link, 24 << 20, SIGNALS[0]);
    let (page, _) = link.trim().split_once('#').unwrap();
    let wrong = format!("{page}#v1.{}", "A".repeat(43));
    world.run(&["download", &wrong, "-o", "b.bin", "--resume"]).failed(6, "key");
    let before = world.gate.passed(Way::Back);
    world.run(&["download", link.trim(), "-o", "b.bin", "--resume"]).text();
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content);
    let fetched = world.gate.passed(Way::Back) - before;
    assert!(fetched < 32 << 20, "{fetched} bytes were downloaded again");
}

/// Returns part or range numbers so far apart that no two of them are requested concurrently.
fn places() -> BTreeSet<u64> {
    let stretch = SIZE / (2 * MIB) / INTERRUPTIONS;
    (0..INTERRUPTIONS)
        .map(|number| number * stretch + 1 + u64::from_be_bytes(random::bytes()) % (stretch - 6))
        .collect()
}

/// Starts a store that never responds to the first request for each of these parts or ranges.
fn silent_at(method: Method, places: &BTreeSet<u64>) -> Stub {
    let places = Mutex::new(places.clone());
    let script = move |asked: &Asked| {
        let place = asked.start.map_or(u64::from(asked.number), |start| start / (2 * MIB));
        if asked.method == method && places.lock().unwrap().remove(&place) { Act::Silence } else { Act::Serve }
    };
    Plan::on(Terms::default()).store(script).start()
}

#[test]
fn stored_parts_are_not_sent_again() {
    let (home, content) = (Home::new(), content(LENGTH));
    let file = home.file("a.bin", &content);
    let points = places();
    let stub = silent_at(Method::PUT, &points);
    let arguments = ["upload", &file, "--resume", "--json"];
    for (number, point) in (0..).zip(&points) {
        let upload = started(stub.command(&home, &arguments));
        stub.wait_for_silence(number + 1);
        end(upload, SIGNALS[number % SIGNALS.len()]);
        assert_eq!(left(&home, "uploads").len(), 1, "interrupted at {point} of {points:?}");
    }
    let said = stub.run(&home, &arguments);
    assert_eq!(said.exit, 0, "{} {} at {points:?}", said.stderr, String::from_utf8_lossy(&said.stdout));
    let (payload, mut twice) = (stub.payload(), 0);
    for (number, part) in (1..).zip(payload.chunks(usize::try_from(2 * MIB).unwrap())) {
        let bodies = stub.bodies(number);
        assert!(bodies.iter().all(|body| part.starts_with(body)), "part {number} was sent with different bytes");
        twice += bodies.iter().filter(|body| body.len() == part.len()).count() - 1;
    }
    // Up to four concurrent parts lack a response when the process ends.
    assert!(twice <= 4 * points.len(), "{twice} parts were sent again, with interruptions at {points:?}");
    let link = said.json()["link"].as_str().unwrap().to_owned();
    stub.run(&home, &["download", &link, "-o", "b.bin"]).text();
    assert!(fs::read(home.path().join("b.bin")).unwrap() == content);
}

#[test]
fn completed_ranges_are_not_downloaded_again() {
    let (home, content) = (Home::new(), content(LENGTH));
    let file = home.file("a.bin", &content);
    let points = places();
    let stub = silent_at(Method::GET, &points);
    let link = stub.run(&home, &["upload", &file, "-d", "1"]).text();
    let before = stub.store_requests();
    let arguments = ["download", link.trim(), "-o", "b.bin", "--resume", "--json"];
    for number in 0..points.len() {
        let download = started(stub.command(&home, &arguments));
        stub.wait_for_silence(number + 1);
        end(download, SIGNALS[number % SIGNALS.len()]);
    }
    let said = stub.run(&home, &arguments);
    assert_eq!(said.exit, 0, "{} {} at {points:?}", said.stderr, String::from_utf8_lossy(&said.stdout));
    assert!(fs::read(home.path().join("b.bin")).unwrap() == content, "interrupted at {points:?}");
    assert_eq!(stub.downloads(), 1);
    // Four ranges are requested concurrently: those after the missing range are requested again.
    let (asked, needed) = (stub.store_requests() - before, usize::try_from(SIZE / (2 * MIB)).unwrap() + 1);
    assert!(asked <= needed + 5 * points.len(), "{asked} ranges were requested, {needed} needed, at {points:?}");
}

#[test]
fn a_passphrase_is_never_lost_with_its_transfer() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    let passphrase = world.home.file("passphrase", b"secret words");
    half_sent(&world, &file, &["--passphrase-file", &passphrase]);
    let id = left(&world.home, "uploads").pop().unwrap();
    world.delete_elsewhere(&id);
    // Only the user knows the passphrase, and no terminal is available for a prompt.
    world.run(&["upload", &file, "--resume", "--passphrase"]).failed(4, "run the command again");
    half_sent(&world, &file, &["--passphrase-file", &passphrase]);
    let id = left(&world.home, "uploads").pop().unwrap();
    world.delete_elsewhere(&id);
    let link = world.run(&["upload", &file, "--resume", "--passphrase-file", &passphrase]).text();
    assert!(link.contains("#v1p."), "the passphrase was lost: {link}");
}

#[test]
fn a_failed_resume_keeps_the_unfinished_transfer() {
    let world = World::new();
    let content = content(30 << 20);
    let file = world.home.file("a.bin", &content);
    half_sent(&world, &file, &[]);
    let quick = ["--timeout", "1s", "--json"];
    world.gate.close_after(Way::There, 0);
    let said = world.run(&[&["upload", &file, "--resume"], &quick[..]].concat());
    assert_eq!((said.exit, &said.json()["error"]["resumable"]), (10, &true.into()));
    world.gate.open();
    let link = world.run(&["upload", &file, "--resume"]).text();
    half_fetched(&world, &link, 20 << 20, SIGNALS[1]);
    world.gate.close_after(Way::Back, 0);
    let said = world.run(&[&["download", link.trim(), "-o", "b.bin", "--resume"], &quick[..]].concat());
    assert_eq!((said.exit, &said.json()["error"]["resumable"]), (10, &true.into()));
    world.gate.open();
    // The same transfer ID on another server is a different transfer.
    let elsewhere = link.trim().replace(&world.gate.url, &world.serving.public);
    let before = left(&world.home, "downloads");
    assert_eq!(world.run(&["download", &elsewhere, "-o", "c.bin"]).exit, 0);
    assert_eq!(left(&world.home, "downloads"), before);
    // A download into another directory doesn't use the unfinished file, and removes the file in the end.
    fs::create_dir(world.home.path().join("other")).unwrap();
    world.run(&["download", link.trim(), "-o", "other/b.bin", "--resume"]).text();
    let parts = fs::read_dir(world.home.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(parts.filter(|name| name.starts_with(".sgsend-")).count(), 0);
    assert!(fs::read(world.home.path().join("other/b.bin")).unwrap() == content);
}
