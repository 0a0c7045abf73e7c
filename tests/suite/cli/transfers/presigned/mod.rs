//! Presigned flow: payloads go directly to and from a payload store, which may misbehave.

mod download;
mod fallback;
mod flow;
mod hostile_server;
mod leaks;
mod upload;

use std::fs;

use serde_json::Value;

use crate::support::stub::Stub;
use crate::support::{FinishedCommand, Home};

/// Uploads `content` and returns the JSON output of the command.
fn upload(stub: &Stub, home: &Home, content: &[u8], extra: &[&str]) -> Value {
    let file = home.file("a.bin", content);
    let finished = stub.run(home, &[&["upload", &file, "--json"], extra].concat());
    assert_eq!(finished.exit, 0, "{} {}", finished.stderr, String::from_utf8_lossy(&finished.stdout));
    check_no_upload_state(home);
    finished.json()
}

/// Uploads `content`, expecting a failure.
fn run_failing_upload(stub: &Stub, home: &Home, content: &[u8], extra: &[&str]) -> FinishedCommand {
    let file = home.file("a.bin", content);
    let finished = stub.run(home, &[&["upload", &file], extra].concat());
    check_no_upload_state(home);
    finished
}

fn check_no_upload_state(home: &Home) {
    let state = home.path().join(".local/state/sgsend/uploads");
    assert_eq!(fs::read_dir(state).map_or(0, Iterator::count), 0, "the key of an ended upload is still stored");
}

/// Downloads the upload and returns the JSON output of the command. Checks that the content equals `content`.
fn download(stub: &Stub, home: &Home, uploaded: &Value, content: &[u8], extra: &[&str]) -> Value {
    let finished = run_download(stub, home, uploaded, extra);
    assert_eq!(finished.exit, 0, "{} {}", finished.stderr, String::from_utf8_lossy(&finished.stdout));
    assert!(fs::read(home.path().join("b.bin")).unwrap() == content, "other content came back");
    finished.json()
}

fn run_download(stub: &Stub, home: &Home, uploaded: &Value, extra: &[&str]) -> FinishedCommand {
    let link = uploaded["link"].as_str().unwrap();
    stub.run(home, &[&["download", link, "-o", "b.bin", "--json"], extra].concat())
}

/// Checks that a download failed with this exit status and left no file.
fn check_failure(finished: &FinishedCommand, home: &Home, exit: i32) -> Value {
    let printed = String::from_utf8_lossy(&finished.stdout);
    assert_eq!(finished.exit, exit, "{printed} {}", finished.stderr);
    let remaining = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // Authenticated segments may stay for resuming if the store is merely unreachable (exit status 8).
    let may_stay = |name: &str| exit == 8 && name.starts_with(".sgsend-");
    let remaining: Vec<_> = remaining.filter(|name| name != "a.bin" && name != ".local" && !may_stay(name)).collect();
    assert_eq!(remaining, [""; 0], "a file was left");
    finished.json()["error"].clone()
}
