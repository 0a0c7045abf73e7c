//! Presigned flow: payloads go directly to and from a payload store, which may misbehave.

mod download;
mod flow;
mod hostile_server;
mod upload;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::stub::Stub;
use crate::support::{Home, Said};

/// Uploads `content` and returns the JSON output of the command.
fn upload(stub: &Stub, home: &Home, content: &[u8], extra: &[&str]) -> Value {
    let file = home.file("a.bin", content);
    let said = stub.run(home, &[&["upload", &file, "--json"], extra].concat());
    assert_eq!(said.exit, 0, "{} {}", said.stderr, String::from_utf8_lossy(&said.stdout));
    nothing_is_left(home);
    said.json()
}

/// Uploads `content`, expecting a failure.
fn refused(stub: &Stub, home: &Home, content: &[u8], extra: &[&str]) -> Said {
    let file = home.file("a.bin", content);
    let said = stub.run(home, &[&["upload", &file], extra].concat());
    nothing_is_left(home);
    said
}

fn nothing_is_left(home: &Home) {
    let state = home.path().join(".local/state/sgsend/uploads");
    assert_eq!(fs::read_dir(state).map_or(0, Iterator::count), 0, "the key of an ended upload is still stored");
}

/// Downloads the upload, checks that the content equals `content`, and returns the JSON output of the command.
fn fetch(stub: &Stub, home: &Home, uploaded: &Value, content: &[u8], extra: &[&str]) -> Value {
    let said = fetching(stub, home, uploaded, extra);
    assert_eq!(said.exit, 0, "{} {}", said.stderr, String::from_utf8_lossy(&said.stdout));
    assert!(fs::read(home.path().join("b.bin")).unwrap() == content, "other content came back");
    said.json()
}

fn fetching(stub: &Stub, home: &Home, uploaded: &Value, extra: &[&str]) -> Said {
    let link = uploaded["link"].as_str().unwrap();
    stub.run(home, &[&["download", link, "-o", "b.bin", "--json"], extra].concat())
}

/// Checks that a download failed with this exit status and left no file.
fn failed(said: &Said, home: &Home, exit: i32) -> Value {
    let told = String::from_utf8_lossy(&said.stdout);
    assert_eq!(said.exit, exit, "{told} {}", said.stderr);
    let left = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // Authenticated segments may stay for resuming if the store is merely unreachable (exit status 8).
    let may_stay = |name: &str| exit == 8 && name.starts_with(".sgsend-");
    let left: Vec<_> = left.filter(|name| name != "a.bin" && name != ".local" && !may_stay(name)).collect();
    assert_eq!(left, [""; 0], "a file was left");
    said.json()["error"].clone()
}

/// Polls until `is_so` returns true, for at most 30 seconds.
fn until(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(30), "the condition wasn't met within 30 s");
        std::thread::yield_now();
    }
}
