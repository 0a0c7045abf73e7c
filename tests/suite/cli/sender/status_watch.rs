//! `sgsend status --watch` and `--wait`

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::Home;

#[test]
fn watching_ends_with_the_transfer() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file, "--downloads", "1"]).text();
    let mut watching = home.sgsend(&["status", &link, "--watch", "--events", "--json", "--poll", "20ms"]);
    let mut watching = watching.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = || lines.next().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let first = next().unwrap();
    assert_eq!((first["v"].as_u64(), first["ok"].as_bool()), (Some(1), Some(true)), "{first}");
    assert_eq!((first["status"].as_str(), first["download_count"].as_u64()), (Some("completed"), Some(0)), "{first}");
    home.run_at(&serving, &["download", &link, "-o", "b.txt"]).text();
    let mut seen: Vec<Value> = std::iter::from_fn(next).collect();
    assert_eq!(watching.wait().unwrap().code(), Some(0));
    assert_eq!(seen.last().unwrap()["status"], "exhausted", "{seen:?}");
    seen.insert(0, first);
    let last_words = seen.last().unwrap()["events"].as_array().unwrap().last().unwrap();
    assert_eq!(last_words["kind"], "decrypt_succeeded", "{seen:?}");
    let ids: Vec<_> =
        seen.iter().flat_map(|line| line["events"].as_array().unwrap()).map(|event| &event["id"]).collect();
    let different: std::collections::HashSet<_> = ids.iter().collect();
    assert!(!ids.is_empty() && ids.len() == different.len(), "{seen:?}");
}

#[test]
fn waiting_ends_when_the_condition_is_met_or_impossible() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file]).text();
    home.run_at(&serving, &["download", &link, "-o", "b.txt"]).text();
    let waited = home.run(&["status", &link, "--wait", "downloaded", "--poll", "20ms", "--json"]).json();
    assert_eq!(waited["download_count"], 1, "{waited}");
    home.run_at(&serving, &["delete", &link]).text();
    home.run(&["status", &link, "--wait", "downloaded", "--poll", "20ms"]).text();
    home.run(&["status", &link, "--wait", "expired", "--poll", "20ms"]).text();
    let never = home.run_at(&serving, &["upload", &file]).text();
    home.run_at(&serving, &["delete", &never]).text();
    let wait = ["status", &never, "--wait", "downloaded", "--poll", "20ms"];
    home.run(&wait).expect_failure(4, "never downloaded");
    let printed = home.run(&[&wait[..], &["--json"]].concat()).json();
    assert_eq!((printed["error"]["reason"].as_str(), printed["error"]["exit"].as_u64()), (Some("deleted"), Some(4)));
}

#[test]
fn watching_an_unreachable_server_fails() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file]).text();
    serving.kill();
    home.run(&["status", &link, "--watch", "--timeout", "1s"]).expect_failure(8, "");
}
