//! `sgsend doctor`: detects problems, and reports none on a healthy setup.

mod lax_bucket;
mod s3;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use sgsend::domain::store::LayoutVersion;

use crate::support::{BufferingProxy, FinishedCommand, Home};

/// Checks that exactly the `expected` checks have this verdict. Checks that fail or warn must have a hint.
fn assert_checks(finished: &FinishedCommand, verdict: &str, expected: &[&str]) {
    let json = finished.json();
    let checks = json["checks"].as_array().unwrap();
    let names = checks.iter().filter(|check| check["verdict"] == verdict).map(|check| check["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), expected, "{json:#}");
    for check in checks {
        assert_eq!(check["hint"].is_null(), check["verdict"] == "ok", "{check}");
    }
    let problems = checks.iter().any(|check| check["verdict"] == "problem");
    assert_eq!((json["v"].as_u64(), json["ok"].as_bool()), (Some(1), Some(!problems)));
    assert_eq!(finished.exit, i32::from(problems), "{}", finished.stderr);
}

/// Returns the check named `name`.
fn check<'a>(json: &'a Value, name: &str) -> &'a Value {
    let mut checks = json["checks"].as_array().unwrap().iter();
    checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {json:#}"))
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_healthy_sender_has_no_findings() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    let finished = home.run_at(&serving, &["doctor", "--json"]);
    assert_checks(&finished, "ok", &["server", "request_body", "clock", "token", "config", "admin_key"]);
    let text = home.run_at(&serving, &["doctor"]);
    assert!(text.text().lines().all(|line| line.starts_with("ok ")), "{}", text.text());
    assert!(text.stderr.contains("problem: 0"), "{}", text.stderr);
}

#[test]
fn a_recipient_needs_no_token() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let finished = Home::new().run_at(&serving, &["doctor", "--json"]);
    assert_checks(&finished, "ok", &["server", "request_body", "clock", "token"]);
    assert!(check(&finished.json(), "token")["detail"].as_str().unwrap().contains("uploads are not"));
}

#[test]
fn a_body_limit_of_a_proxy_is_reported() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    for (limit, verdict, words) in [
        (8 << 20, "ok", "requests of 8.0 MiB reach the server"),
        ((8 << 20) - 1, "warning", "refuses requests of 8.0 MiB"),
        (1 << 20, "warning", "refuses requests of 8.0 MiB"),
        ((1 << 20) - 1, "problem", "refuses requests of 1.0 MiB"),
    ] {
        let proxy = BufferingProxy::to(&serving.public, limit, 0);
        let json = Home::new().run(&["--server", &proxy.url, "doctor", "--json"]).json();
        let body = check(&json, "request_body");
        assert_eq!(body["verdict"], verdict, "{limit}: {json:#}");
        assert!(body["detail"].as_str().unwrap().contains(words), "{limit}: {body}");
        let hint = body["hint"].as_str().unwrap_or_default();
        assert_eq!(hint.contains("client_max_body_size"), verdict != "ok", "{body}");
    }
    // A connection that is lost once is no verdict about sizes.
    let proxy = BufferingProxy::to(&serving.public, 16 << 20, 1);
    let json = Home::new().run(&["--server", &proxy.url, "doctor", "--json"]).json();
    assert_eq!(check(&json, "request_body")["verdict"], "ok", "{json:#}");
    assert_eq!(proxy.uploads(), [(8 << 20, 0), (1 << 20, 401), (8 << 20, 401)]);
}

#[test]
fn an_unreachable_server_is_a_problem() {
    let home = Home::new();
    let finished = home.run(&["--server", "http://127.0.0.1:9", "doctor", "--json"]);
    assert_checks(&finished, "problem", &["server"]);
    let text = home.run(&["--server", "http://127.0.0.1:9", "doctor"]);
    let stdout = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(stdout.starts_with("problem ") && stdout.contains("hint: check the address"), "{stdout}");
    assert_eq!(text.exit, 1);
    assert_checks(&home.run(&["--server", "http://send.example", "doctor", "--json"]), "problem", &["server"]);
}

#[test]
fn an_admin_service_is_rejected_as_a_public_server() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    assert_checks(&home.run(&["--server", &serving.admin, "doctor", "--json"]), "problem", &["server"]);
}

#[test]
fn a_rejected_token_is_a_problem() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let wrong = format!("sgs_{}_{}", "0".repeat(16), "0".repeat(64));
    for token in [wrong.as_str(), "sgs_short"] {
        let finished = Home::new().run_at(&serving, &["doctor", "--json", "--token", token]);
        assert_checks(&finished, "problem", &["token"]);
        assert!(!String::from_utf8_lossy(&finished.stdout).contains(token), "the output contains the token");
    }
}

#[test]
fn files_readable_by_others_are_reported() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    set_mode(&home.path().join(".config/sgsend/config.toml"), 0o644);
    let finished = home.run_at(&serving, &["doctor", "--json"]);
    assert_checks(&finished, "warning", &["config"]);
    assert!(check(&finished.json(), "config")["hint"].as_str().unwrap().starts_with("chmod go-rwx "));
}

#[test]
fn a_store_folder_is_checked() {
    let home = Home::new();
    let folder = home.path().join("store");
    let storage = format!("file:{}", folder.display());
    let doctor = || home.run(&["doctor", "--json", "--storage", &storage]);
    assert_checks(&doctor(), "warning", &["folder"]);
    assert!(!folder.exists(), "the folder was created");
    home.serve(&["--storage", &storage]).terminate();
    assert_checks(&doctor(), "ok", &["folder", "folder_private", "folder_writable", "room", "store"]);
    set_mode(&folder, 0o755);
    assert_checks(&doctor(), "warning", &["folder_private"]);
    let by_environment = home.sgsend(&["doctor", "--json"]).env("SGSEND_STORAGE", &storage).output().unwrap();
    assert!(String::from_utf8_lossy(&by_environment.stdout).contains("folder_private"));

    let records = rusqlite::Connection::open(folder.join("records.sqlite")).unwrap();
    let newer = format!(r#"{{"v":{},"retain_audit_s":1}}"#, LayoutVersion::CURRENT.number() + 1);
    let changed = "UPDATE object SET value = CAST(?1 AS BLOB) WHERE key = 'store.json'";
    assert_eq!(records.execute(changed, [newer]), Ok(1));
    drop(records);
    assert_checks(&doctor(), "problem", &["store"]);
    let file = home.file("no-folder", b"");
    assert_checks(&home.run(&["doctor", "--json", "--storage", &format!("file:{file}")]), "problem", &["folder"]);
}

#[test]
fn invalid_storages_are_reported() {
    let home = Home::new();
    home.run(&["doctor", "--storage", "memory:"]).expect_failure(2, "one process");
    home.run(&["doctor", "--storage", "file:/tmp", "--s3-path-style"]).expect_failure(2, "bucket");
    assert_eq!(home.run(&["doctor", "--storage", "s3:"]).exit, 2);
}

#[test]
fn a_bucket_without_credentials_is_reported() {
    let home = Home::new();
    let doctor = ["doctor", "--json", "--storage", "s3://bucket?endpoint=http://127.0.0.1:9"];
    let finished = home.sgsend(&doctor).env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap();
    assert_checks(&FinishedCommand::of(finished), "problem", &["credentials"]);
}
