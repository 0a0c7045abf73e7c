//! JSON output for programs.

use serde_json::Value;

use crate::support::Home;

fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn assert_members(value: &Value, expected: &[&str]) {
    assert_eq!((value["v"].as_u64(), value["ok"].as_bool()), (Some(1), Some(true)), "{value}");
    let names = members(value);
    for member in expected {
        assert!(names.contains(member), "{member} is missing in {value}");
    }
}

#[test]
fn every_command_prints_one_object() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    let token = home.run_at(&serving, &["token", "create", "x", "--expires", "90d", "--login", "--json"]).json();
    assert_members(&token, &["token", "token_id", "name", "status", "expires_at"]);
    let file = home.file("a.txt", b"hello");
    let uploaded = home.run_at(&serving, &["upload", &file, "-d", "2", "-e", "1h", "--json"]).json();
    assert_members(
        &uploaded,
        &["transfer_id", "link", "key", "expires_at", "max_downloads", "size", "mode", "transparency"],
    );
    assert_eq!(uploaded["size"]["content"], 5);
    assert_eq!(uploaded["max_downloads"], 2);
    let (link, id) = (uploaded["link"].as_str().unwrap(), uploaded["transfer_id"].as_str().unwrap());
    assert!(link.ends_with(uploaded["key"].as_str().unwrap()));
    let apart = home.run_at(&serving, &["upload", &file, "--separate-key", "--json"]).json();
    assert!(!apart["link"].as_str().unwrap().contains('#') && apart["key"].as_str().unwrap().starts_with("v1."));
    let status = home.run(&["status", link, "--events", "--json"]).json();
    assert_members(
        &status,
        &["transfer_id", "status", "size_bytes", "download_count", "downloads_remaining", "events"],
    );
    let downloaded = home.run(&["download", link, "-o", "b.txt", "--json"]).json();
    assert_members(&downloaded, &["transfer_id", "files", "mode"]);
    assert_eq!(downloaded["files"][0]["size"], 5);
    assert!(downloaded["files"][0]["path"].as_str().unwrap().ends_with("b.txt"));
    assert_members(&home.run_at(&serving, &["token", "list", "--json"]).json(), &["items", "next"]);
    assert_members(&home.run_at(&serving, &["stats", "--json"]).json(), &["transfers", "tokens", "days"]);
    assert_members(&home.run_at(&serving, &["audit", "show", id, "--json"]).json(), &["items", "next"]);
    let revoked = home.run_at(&serving, &["token", "revoke", token["token_id"].as_str().unwrap(), "--json"]).json();
    assert_members(&revoked, &["token_id", "status"]);
    let finished = home.run_at(&serving, &["delete", id, "--json"]);
    assert_eq!((finished.exit, finished.json()["error"]["code"].as_str()), (5, Some("token_revoked")));
    for member in ["code", "reason", "message", "hint", "exit", "retryable"] {
        assert!(members(&finished.json()["error"]).contains(&member), "{member} is missing");
    }
}

#[test]
fn progress_is_printed_as_json_objects() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a.bin", &vec![0; 5_000_000]);
    let uploaded = home.run_at(&serving, &["upload", &file, "--progress", "json"]);
    let progress = |stderr: &str| {
        let lines = stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["type"] == "progress").collect::<Vec<_>>()
    };
    let printed = progress(&uploaded.stderr);
    assert!(!printed.is_empty(), "{}", uploaded.stderr);
    let last = printed.last().unwrap();
    assert_eq!((last["phase"].as_str(), last["bytes"].as_u64()), (Some("upload"), last["total"].as_u64()), "{last}");
    let downloaded = home.run(&["download", &uploaded.text(), "-o", "b.bin", "--progress", "json"]);
    assert_eq!(progress(&downloaded.stderr).last().unwrap()["phase"], "download");
}
