//! Services with a missing or invalid setting don't start, and name the setting.

use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::support::{FinishedCommand, Home};

/// Invalid values of each setting, tried as flag and as environment variable.
const WRONG: &[(&str, &[&str])] = &[
    ("--listen", &["", "nowhere", "127.0.0.1", "127.0.0.1:99999"]),
    ("--storage", &["", "nonsense", "file:", "memory:x", "s3://", "s3://bucket?region"]),
    ("--public-url", &["", "send.example.org", "ftp://send.example.org", "https://user@send.example.org"]),
    ("--max-size", &["", "0", "-1", "much", "626GiB"]),
    ("--ip-mode", &["", "some", "HASHED"]),
    ("--trusted-proxy", &["", "10.0.0.0/33", "proxy.example.org", "0.0.0.0/0", "::/0", "10.0.0.0/8;192.0.2.0/24"]),
    ("--forwarded-header", &["", "x forwarded for", "x-forwarded-for:"]),
    ("--rate-limit", &["", "on", "50", "0/s", "50/m", "50/s:0"]),
    ("--allow-origin", &["", "*", "null", "app.example.org", "https://app.example.org/"]),
    ("--retain-audit", &["", "0s", "90", "for ever"]),
    ("--retain-reads", &["", "0s", "30", "91d"]),
    ("--min-free", &["", "100%", "-5%", "some"]),
    ("--auth-name", &["", "x api key"]),
    ("--durability", &["", "some"]),
    ("--s3-endpoint", &["", "nowhere"]),
];

/// Returns the output of a service that fails to start. Kills a service that starts, and fails the test.
pub(super) fn fail_to_start(mut command: Command) -> FinishedCommand {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    let (ended, watched) = mpsc::channel::<()>();
    let watching = thread::spawn(move || {
        if watched.recv_timeout(Duration::from_secs(20)) == Err(RecvTimeoutError::Timeout) {
            assert!(Command::new("kill").arg(id).status().unwrap().success());
        }
    });
    let finished = FinishedCommand::of(child.wait_with_output().unwrap());
    drop(ended);
    watching.join().unwrap();
    assert_ne!(finished.exit, 0, "the service has started: {command:?}: {}", finished.stderr);
    finished
}

#[test]
fn every_service_refuses_every_wrong_setting_and_names_it() {
    let home = Home::new();
    for service in ["public", "admin", "all"] {
        for (flag, values) in WRONG {
            let variable = format!("SGSEND_{}", flag.trim_start_matches("--").replace('-', "_").to_uppercase());
            for value in *values {
                let by_flag = home.sgsend(&["serve", service, &format!("{flag}={value}")]);
                let mut by_variable = home.sgsend(&["serve", service]);
                by_variable.env(&variable, value);
                // An empty variable counts as unset.
                let by_variable = Some((by_variable, &*variable)).filter(|_| !value.is_empty());
                for (command, name) in std::iter::once((by_flag, *flag)).chain(by_variable) {
                    let FinishedCommand { exit, stderr, .. } = fail_to_start(command);
                    // This value is valid by itself.
                    let is_named = stderr.contains(name) || *value == "91d";
                    assert!(is_named, "the error for {service} {name}={value:?} is {stderr}");
                    assert_eq!(exit, 2, "{service} {flag}={value:?}: {stderr}");
                    assert!(stderr.contains("error: ") && stderr.contains("hint: "), "{stderr}");
                    assert!(
                        stderr.contains(flag),
                        "the error for {service} {flag}={value:?} doesn't name the flag: {stderr}"
                    );
                    assert!(!stderr.contains("listening"), "{stderr}");
                }
            }
        }
    }
    let default_store = home.path().join(".local/share/sgsend/store");
    assert!(!default_store.exists(), "a service that failed to start has created a store");
}

#[test]
fn empty_variables_count_as_unset() {
    let home = Home::new();
    let names = WRONG.iter().map(|(flag, _)| format!("SGSEND_{}", flag[2..].replace('-', "_").to_uppercase()));
    let others = ["NO_BYTES_FALLBACK", "S3_PATH_STYLE", "S3_PUBLIC_ENDPOINT", "ADMIN_URL", "TLS_CERT", "TLS_KEY"];
    let keys = ["ADMIN_KEY", "ADMIN_KEY_FILE", "METRICS_KEY", "METRICS_KEY_FILE", "LOG", "LOG_FORMAT", "UNKNOWN"];
    let others = others.iter().chain(&keys).map(|name| format!("SGSEND_{name}"));
    let mut server = home.server();
    for name in names.chain(others) {
        server = server.env(&name, "");
    }
    let serving = server.storage("memory:").start();
    let log = serving.terminate();
    assert!(!log.contains("warning"), "{log}");
    let help = home.sgsend(&["serve", "public", "--help"]).env("SGSEND_MAX_SIZE", "").output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("SGSEND_MAX_SIZE"));
}

#[test]
fn booleans_in_variables_are_words_as_people_write_them() {
    let home = Home::new();
    let serve = |name: &str, value: &str, storage: &str| {
        let mut command = home.sgsend(&["serve", "all", "--storage", storage, "--listen", "127.0.0.1:0"]);
        command.args(["--admin-listen", "127.0.0.1:0"]).env(name, value);
        fail_to_start(command)
    };
    // A flag that is set asks for a bucket.
    for word in ["1", "true", "TRUE", "yes", "Yes", "on", "ON"] {
        serve("SGSEND_S3_PATH_STYLE", word, "memory:").expect_failure(2, "--s3-path-style");
    }
    for word in ["0", "false", "False", "no", "NO", "off", "Off"] {
        home.server().storage("memory:").env("SGSEND_S3_PATH_STYLE", word).start().terminate();
    }
    for name in ["SGSEND_S3_PATH_STYLE", "SGSEND_NO_BYTES_FALLBACK"] {
        for word in ["2", "enabled", "yes please"] {
            let stderr = serve(name, word, "memory:").stderr;
            assert!([name, "1, true, yes or on", "0, false, no or off"].iter().all(|part| stderr.contains(part)));
        }
    }
}

#[test]
fn dependent_settings_are_required_together() {
    let home = Home::new();
    let file = home.file("a-file", b"");
    for (arguments, named) in [
        (vec!["--forwarded-header", "x-real-ip"], "--trusted-proxy"),
        (vec!["--tls-cert", &file], "--tls-key"),
        (vec!["--tls-key", &file], "--tls-cert"),
        (vec!["--s3-endpoint", "http://127.0.0.1:9"], "--s3-endpoint"),
        (vec!["--s3-path-style"], "--s3-path-style"),
    ] {
        for service in ["public", "admin", "all"] {
            let finished = fail_to_start(home.sgsend(&[&["serve", service], &arguments[..]].concat()));
            assert_eq!(finished.exit, 2, "{service} {arguments:?}: {}", finished.stderr);
            assert!(finished.stderr.contains(named), "{service} {arguments:?}: {}", finished.stderr);
        }
    }
}

#[test]
fn missing_settings_are_named() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    // No admin key is generated where other machines could reach the service.
    for service in ["admin", "all"] {
        let flag = if service == "all" { "--admin-listen" } else { "--listen" };
        fail_to_start(home.sgsend(&["serve", service, "--storage", &store, flag, "0.0.0.0:0"]))
            .expect_failure(2, "admin key");
        fail_to_start(home.sgsend(&["serve", service, "--storage", "s3://bucket"])).expect_failure(2, "admin key");
    }
}

#[test]
fn test_only_settings_require_loopback_addresses() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    for service in ["public", "admin", "all"] {
        let open = ["serve", service, "--storage", &store, "--listen", "0.0.0.0:0", "--durability", "none"];
        let key = home.file("key", &[b'k'; 40]);
        fail_to_start(home.sgsend(&[&open[..], &["--admin-key-file", &key]].concat()))
            .expect_failure(2, "--durability none");
    }
    for service in ["public", "admin"] {
        fail_to_start(home.sgsend(&["serve", service, "--storage", "memory:"])).expect_failure(2, "memory:");
    }
}
