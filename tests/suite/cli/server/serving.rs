//! `sgsend serve`: start, rejected settings, shutdown.

use std::io::Write;
use std::net::TcpListener;

use crate::support::{FinishedCommand, Home, ServerProcess};

#[test]
fn an_admin_key_is_generated_for_loopback_only() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let serving = home.serve(&["--storage", &store]);
    let key_file = home.path().join(".config/sgsend/admin-key");
    let key = std::fs::read_to_string(&key_file).unwrap();
    assert!(key.trim().len() >= 32);
    assert_eq!(home.run_at(&serving, &["token", "list"]).exit, 0);
    serving.terminate();
    let serving = home.serve(&["--storage", &store]);
    assert_eq!(std::fs::read_to_string(&key_file).unwrap(), key, "the second start generated another key");
    assert_eq!(home.run_at(&serving, &["token", "list"]).exit, 0);
    let finished = home.run(&["serve", "admin", "--listen", "0.0.0.0:0", "--storage", &store]);
    finished.expect_failure(2, "admin key");
}

#[test]
fn an_invalid_admin_key_prevents_the_start() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let serve = ["serve", "admin", "--listen", "127.0.0.1:0", "--storage", &store];
    for (name, value) in [("SGSEND_ADMIN_KEY", "short"), ("SGSEND_ADMIN_KEY_FILE", "/no/such/file")] {
        let output = home.sgsend(&serve).env(name, value).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{name}={value:?}: {stderr}");
        assert!(stderr.contains("error: ") && stderr.contains("hint: "), "{stderr}");
    }
    let weak = home.file("weak", b"too short");
    home.run(&[&serve[..], &["--admin-key-file", &weak]].concat()).expect_failure(2, "too short");
    assert!(!home.path().join(".config/sgsend/admin-key").exists());
}

#[test]
fn a_metrics_key_comes_from_a_flag_or_the_environment() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let (key, other) = ("k".repeat(40), "o".repeat(40));
    let (file, other_file) = (home.file("key", key.as_bytes()), home.file("other", format!("{other}\n").as_bytes()));
    let opens = |serving: &ServerProcess, key: &str| {
        let address = serving.public.trim_start_matches("http://").to_owned();
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let head = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n");
        stream.write_all((head + "connection: close\r\n\r\n").as_bytes()).unwrap();
        let response = std::io::read_to_string(stream).unwrap();
        response.starts_with("HTTP/1.1 200 ") && response.contains("# EOF")
    };
    let server = || home.server().only("public").storage(&store);
    let by_flag = server().arguments(&["--metrics-key-file", &file]).env("SGSEND_METRICS_KEY", &other).start();
    assert!(opens(&by_flag, &key) && !opens(&by_flag, &other));
    let by_key = server().env("SGSEND_METRICS_KEY", &key).env("SGSEND_METRICS_KEY_FILE", &other_file).start();
    assert!(opens(&by_key, &key) && !opens(&by_key, &other));
    let by_file = server().env("SGSEND_METRICS_KEY_FILE", &other_file).start();
    assert!(opens(&by_file, &other) && !opens(&by_file, &key));
    let log = by_file.terminate();
    assert!(!log.contains("not a setting") && !log.contains(&other), "{log}");

    let serve = ["serve", "all", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--storage", &store];
    for (name, value) in [("SGSEND_METRICS_KEY", "short"), ("SGSEND_METRICS_KEY_FILE", "/no/such/file")] {
        let output = home.sgsend(&serve).env(name, value).output().unwrap();
        FinishedCommand::of(output).expect_failure(2, "metrics key");
    }
    let same = home.sgsend(&serve).env("SGSEND_METRICS_KEY", &key).env("SGSEND_ADMIN_KEY", &key).output().unwrap();
    FinishedCommand::of(same).expect_failure(2, "is the admin key");
}

#[test]
fn invalid_settings_are_rejected() {
    let home = Home::new();
    let file = home.file("a-file", b"");
    let used_address = TcpListener::bind("127.0.0.1:0").unwrap();
    let used_address = used_address.local_addr().unwrap().to_string();
    let store = format!("file:{}", home.path().join("store").display());
    for (exit, arguments) in [
        (2, vec!["public", "--storage", "memory:"]),
        (2, vec!["public", "--storage", "nonsense"]),
        (2, vec!["public", "--storage", "s3://"]),
        (2, vec!["public", "--storage", "s3://bucket?pathstyle=1"]),
        (2, vec!["public", "--storage", &store, "--s3-path-style"]),
        (2, vec!["all", "--storage", "s3://bucket"]),
        (8, vec!["public", "--storage", "s3://bucket?endpoint=http://127.0.0.1:9"]),
        (9, vec!["public", "--storage", &*format!("file:{file}/below")]),
        (1, vec!["public", "--storage", &store, "--listen", &used_address]),
        (2, vec!["public", "--storage", &store, "--tls-cert", &file]),
        (1, vec!["public", "--storage", &store, "--tls-cert", &file, "--tls-key", &file]),
        (2, vec!["public", "--storage", &store, "--max-size", "0"]),
        (2, vec!["public", "--storage", &store, "--max-size", "626GiB"]),
        (2, vec!["public", "--storage", &store, "--ip-mode", "some"]),
        (2, vec!["public", "--storage", &store, "--listen", "0.0.0.0:0", "--durability", "none"]),
        (2, vec!["public", "--storage", &store, "--admin-listen", "127.0.0.1:0"]),
    ] {
        let mut all = vec!["serve"];
        all.extend(arguments);
        if !all.contains(&"--listen") {
            all.extend(["--listen", "127.0.0.1:0"]);
        }
        let finished = home.run(&all);
        assert_eq!(finished.exit, exit, "{all:?}: {}", finished.stderr);
        assert!(finished.stderr.contains("error: "), "{all:?}: {}", finished.stderr);
    }
}

#[test]
fn a_store_of_a_newer_version_is_rejected_unchanged() {
    let home = Home::new();
    let folder = home.path().join("store");
    let store = format!("file:{}", folder.display());
    home.serve(&["--storage", &store]).terminate();
    let records = rusqlite::Connection::open(folder.join("records.sqlite")).unwrap();
    let changed = "UPDATE object SET value = CAST('{\"v\":5,\"retain_audit_s\":1}' AS BLOB) WHERE key = 'store.json'";
    assert_eq!(records.execute(changed, []), Ok(1));
    drop(records);
    let finished =
        home.run(&["serve", "all", "--storage", &store, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    finished.expect_failure(1, "version 5");
}

#[test]
fn two_processes_share_a_store() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let public = home.serve_one("public", &["--storage", &store]);
    let admin = home.serve_one("admin", &["--storage", &store]);
    let servers =
        |serving: &ServerProcess| if serving.admin.is_empty() { serving.public.clone() } else { serving.admin.clone() };
    let (public_url, admin_url) = (servers(&public), servers(&admin));
    let at =
        |arguments: &[&str]| home.run(&[&["--server", &public_url, "--admin-server", &admin_url], arguments].concat());
    at(&["token", "create", "x", "--login"]).text();
    let file = home.file("a.txt", b"hello");
    let link = at(&["upload", &file]).text();
    assert_eq!(at(&["download", &link, "-o", "-"]).text(), "hello");
    let id = link.split("/d/").nth(1).unwrap().split('#').next().unwrap().to_owned();
    assert!(at(&["audit", "show", &id]).text().contains("transfer_completed"));
    assert_eq!(at(&["stats", "--json"]).json()["transfers"]["completed"], 1);
}

#[test]
fn buffered_audit_records_are_written_at_shutdown() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let serving = home.serve(&["--storage", &store]);
    home.log_in(&serving);
    let link = home.run_at(&serving, &["upload", &home.file("a.txt", b"hello")]).text();
    home.run(&["status", &link]).text();
    serving.terminate();
    let serving = home.serve(&["--storage", &store]);
    let id = link.split("/d/").nth(1).unwrap().split('#').next().unwrap().to_owned();
    let trail = home.run_at(&serving, &["audit", "show", &id, "--json"]).json();
    let reads = trail["items"].as_array().unwrap().iter().filter(|record| record["action"] == "transfer.status");
    assert!(reads.count() >= 1, "{trail}");
}
