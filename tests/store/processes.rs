//! Several processes sharing a `file:` store, and killed processes.
//!
//! A child process runs this test binary again; [`DIRECTORY`] names its store. Without the variable, the child cases do
//! nothing.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use sgsend::domain::id::PayloadId;
use sgsend::domain::store::{Commit, Payloads, StorageKey, Store, StoreError, Swap, create, read, swap};
use sgsend::server::store::{Durability, FileStore};

use crate::backends::{content, key, next_writer, open, pattern, upload, value};

const DIRECTORY: &str = "SGSEND_TEST_STORE";

/// ID of the payload shared by parent and child.
const PAYLOAD: &str = "0123456789abcdef0123456789abcdef";

const ROUNDS: u64 = 100;

fn payload() -> PayloadId {
    PAYLOAD.parse().unwrap()
}

/// Opens the parent's store in a child.
fn inherited() -> Option<FileStore> {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY)?);
    Some(FileStore::open(&directory, Durability::Full).unwrap())
}

/// Sends a line to the parent.
fn say(line: impl std::fmt::Display) {
    // The test harness may have printed an incomplete line.
    std::io::stdout().write_all(format!("\nchild: {line}\n").as_bytes()).unwrap();
}

/// A process that runs one case of this file, killed on drop.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn running(case: &str, directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("processes::{case}"), "--nocapture"])
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Returns the next line that the child sends; `None` at the end of its output.
    fn next_line(&mut self) -> Option<String> {
        let finished = |line: std::io::Result<String>| line.unwrap().strip_prefix("child: ").map(str::to_owned);
        self.lines.by_ref().find_map(finished)
    }

    /// Lets the child continue or exit, by closing its stdin.
    fn release(&mut self) {
        drop(self.child.stdin.take());
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn count_up(store: &dyn Store) {
    let counter = key("counter.json");
    for _ in 0..ROUNDS {
        let next = |count: u64| Ok::<_, StoreError>(Swap::write(count + 1, Commit::default(), ()));
        swap(store, &counter, || StoreError::NoPayload, next).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn child_counts_up() {
    let Some(store) = inherited() else { return };
    count_up(&store).await;
    say("counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_lose_no_update() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    create(&store, key("counter.json"), &0_u64, Commit::default()).await.unwrap();
    let mut children = [(); 2].map(|()| Process::running("child_counts_up", directory.path()));
    count_up(&store).await;
    for child in &mut children {
        assert_eq!(child.next_line().as_deref(), Some("counted"));
    }
    let count = read::<u64>(&store, &key("counter.json")).await.unwrap().unwrap().value;
    assert_eq!(count, 3 * ROUNDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn child_holds_a_writer() {
    let Some(store) = inherited() else { return };
    let mut writer = store.writer(payload(), 0).await.unwrap();
    writer.write(pattern(0..1000)).await.unwrap();
    say("writing");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    say(writer.close().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_has_one_writer_in_all_processes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let mut child = Process::running("child_holds_a_writer", directory.path());
    assert_eq!(child.next_line().as_deref(), Some("writing"));
    assert!(matches!(store.writer(payload(), 0).await.err(), Some(StoreError::WriterBusy)));
    assert!(matches!(store.finish(payload(), 0).await, Err(StoreError::WriterBusy)));
    child.release();
    assert_eq!(child.next_line().as_deref(), Some("1000"));
    assert_eq!(upload(&store, payload(), 1000..1500).await.unwrap(), 1500);
    assert_eq!(store.finish(payload(), 1500).await.unwrap(), 1500);
    assert_eq!(content(&store, payload(), 0..1500).await.unwrap(), pattern(0..1500));
}

#[tokio::test(flavor = "multi_thread")]
async fn child_commits_until_killed() {
    let Some(store) = inherited() else { return };
    for n in 0_u64.. {
        let records = ["requests", "actions", "events"].map(|kind| (key(&format!("{kind}/{n}")), pattern(0..300)));
        let object = StorageKey::from_backend(format!("objects/{n}"));
        create(&store, object, &n, Commit { records: records.into(), ..Commit::default() }).await.unwrap();
        say(n);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_changes_survive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    for killed_after in ["3", "40", "200"] {
        let fresh = directory.path().join(killed_after);
        let mut child = Process::running("child_commits_until_killed", &fresh);
        while child.next_line().unwrap() != killed_after {}
        child.kill();
        let mut last: u64 = killed_after.parse().unwrap();
        while let Some(finished) = child.next_line() {
            last = finished.parse().unwrap();
        }
        let store = FileStore::open(&fresh, Durability::Full).unwrap();
        for n in 0..=last {
            assert_eq!(value(&store, &format!("objects/{n}")).await.unwrap(), n.to_string());
            assert!(value(&store, &format!("events/{n}")).await.is_some());
        }
        // The commit interrupted by the kill is stored completely or not at all.
        let next = last + 1;
        let parts = [format!("objects/{next}"), format!("requests/{next}"), format!("events/{next}")];
        let mut there = Vec::new();
        for part in &parts {
            there.push(value(&store, part).await.is_some());
        }
        assert!(there.iter().all(|part| *part == there[0]), "{parts:?}: {there:?}");
        create(&store, key("after.json"), &0_u64, Commit::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn child_uploads_until_killed() {
    let Some(store) = inherited() else { return };
    let mut end = 0;
    loop {
        let mut writer = store.writer(payload(), end).await.unwrap();
        for _ in 0..3 {
            writer.write(pattern(end..end + 700_000)).await.unwrap();
            end += 700_000;
        }
        assert_eq!(writer.close().await.unwrap(), end);
        say(end);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_bytes_survive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Process::running("child_uploads_until_killed", directory.path());
    for _ in 0..10 {
        child.next_line().unwrap();
    }
    child.kill();
    let mut acknowledged: u64 = 0;
    while let Some(finished) = child.next_line() {
        acknowledged = finished.parse().unwrap();
    }
    // The locks of the child are released when it exits, and its output ends at that time.
    let store = open(&directory);
    let (end, mut writer) = next_writer(&store, payload()).await;
    assert!(end >= acknowledged, "{end} of {acknowledged} acknowledged bytes are stored");
    writer.write(pattern(end..end + 10)).await.unwrap();
    let size = writer.close().await.unwrap();
    assert_eq!(store.finish(payload(), size).await.unwrap(), size);
    assert!(content(&store, payload(), 0..size).await.unwrap() == pattern(0..size));
}
