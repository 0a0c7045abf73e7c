//! Failures: the exit status, and two lines with the cause and a hint.

use crate::support::{Home, ServerProcess};

const NOWHERE: &str = "http://127.0.0.1:9";

fn started() -> (Home, ServerProcess) {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    (home, serving)
}

#[test]
fn files_that_cannot_be_sent() {
    let (home, serving) = started();
    home.run_at(&serving, &["upload", "no-such-file"]).expect_failure(9, "no-such-file");
    let folder = home.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink("/", folder.join("out")).unwrap();
    home.run_at(&serving, &["upload", folder.to_str().unwrap()]).expect_failure(9, "link");
    assert_eq!(home.run_at(&serving, &["stats", "--json"]).json()["transfers"]["pending"], 0);
}

#[test]
fn unreachable_servers() {
    let home = Home::new();
    let file = home.file("a.txt", b"hello");
    let token = format!("sgs_{}_{}", "0".repeat(16), "0".repeat(64));
    let quick = ["--timeout", "1s", "--server", NOWHERE];
    home.run(&[&quick[..], &["upload", &file, "--token", &token]].concat()).expect_failure(8, "");
    let link = format!("{NOWHERE}/d/{}#v1.{}", "0".repeat(32), "A".repeat(43));
    home.run(&["--timeout", "1s", "download", &link]).expect_failure(8, "");
    home.run(&["--timeout", "1s", "status", &link]).expect_failure(8, "");
}

#[test]
fn invalid_tokens() {
    let (home, serving) = started();
    let file = home.file("a.txt", b"hello");
    let nobody = Home::new();
    nobody.run_at(&serving, &["upload", &file]).expect_failure(5, "token");
    let wrong = format!("sgs_{}_{}", "0".repeat(16), "0".repeat(64));
    nobody.run_at(&serving, &["upload", &file, "--token", &wrong]).expect_failure(5, "token");
    // Malformed tokens are rejected before any request.
    nobody.run_at(&serving, &["upload", &file, "--token", "sgs_short"]).expect_failure(2, "token");
    let created = home.run_at(&serving, &["token", "create", "to be revoked", "--json"]).json();
    home.run_at(&serving, &["token", "revoke", created["token_id"].as_str().unwrap()]).text();
    // `token revoke` accepts the public part of a token and the whole token.
    let whole = created["token"].as_str().unwrap();
    for form in [whole, whole.rsplit_once('_').unwrap().0] {
        home.run_at(&serving, &["token", "revoke", form]).text();
    }
    home.run_at(&serving, &["token", "revoke", "somebody"]).expect_failure(2, "16 lower-case hex digits");
    nobody
        .run_at(&serving, &["upload", &file, "--token", created["token"].as_str().unwrap()])
        .expect_failure(5, "revoked");
    let link = home.run_at(&serving, &["upload", &file]).text();
    let other = home.run_at(&serving, &["token", "create", "other"]).text();
    nobody.run_at(&serving, &["delete", &link, "--token", &other]).expect_failure(5, "another");
    nobody.run_at(&serving, &["token", "list"]).expect_failure(5, "admin key");
    assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "hello");
}

#[test]
fn malformed_links() {
    let (home, serving) = started();
    for link in ["nonsense", "ftp://example.org/d/x", "https://example.org/", &format!("{}/d/abc#v1.x", serving.public)]
    {
        home.run(&["download", link]).expect_failure(2, "");
    }
    let beyond = format!("http://example.org/d/{}#v1.{}", "0".repeat(32), "A".repeat(43));
    home.run(&["download", &beyond]).expect_failure(2, "insecure-http");
    let missing = format!("{}/d/{}#v1.{}", serving.public, "0".repeat(32), "A".repeat(43));
    home.run(&["download", &missing]).expect_failure(3, "");
    home.run_at(&serving, &["status", &"0".repeat(32)]).expect_failure(3, "");
    home.run_at(&serving, &["audit", "show", &"0".repeat(32)]).expect_failure(3, "");
    home.run_at(&serving, &["token", "revoke", &"0".repeat(16)]).expect_failure(3, "");
}

#[test]
fn wrong_keys_are_reported_before_a_limited_download_is_counted() {
    let (home, serving) = started();
    let file = home.file("a.txt", b"hello");
    for (limit, used) in [(&["-d", "1"][..], 0), (&[], 1)] {
        let link = home.run_at(&serving, &[&["upload", &file][..], limit].concat()).text();
        let wrong = format!("{}.{}", link.rsplit_once('.').unwrap().0, "A".repeat(43));
        home.run(&["download", &wrong]).expect_failure(6, "key");
        assert!(!home.path().join("a (1).txt").exists());
        // The counter of an unlimited transfer may lag one second; the counter of a limited transfer never lags.
        if used == 0 {
            assert_eq!(home.run(&["status", &link, "--json"]).json()["download_count"], 0);
            assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "hello");
        }
    }
}

#[test]
fn ended_transfers_report_the_reason() {
    let (home, serving) = started();
    let file = home.file("a.txt", b"hello");
    let once = home.run_at(&serving, &["upload", &file, "-d", "1"]).text();
    home.run(&["download", &once, "-o", "-"]).text();
    home.run(&["download", &once, "-o", "-"]).expect_failure(4, "");
    let printed = home.run(&["download", &once, "-o", "-", "--json"]).json();
    assert_eq!((printed["error"]["exit"].as_u64(), printed["error"]["reason"].as_str()), (Some(4), Some("exhausted")));
    let deleted = home.run_at(&serving, &["upload", &file]).text();
    home.run_at(&serving, &["delete", &deleted]).text();
    let printed = home.run(&["download", &deleted, "--json"]).json();
    assert_eq!((printed["ok"].as_bool(), printed["error"]["reason"].as_str()), (Some(false), Some("deleted")));
}

#[test]
fn damaged_payloads_are_never_released() {
    let (home, serving) = started();
    let file = home.file("a.bin", &vec![7; 3_000_000]);
    let link = home.run_at(&serving, &["upload", &file, "--notify", "never", "--json"]).json();
    let key = home.file("key", link["key"].as_str().unwrap().as_bytes());
    let url =
        format!("{}/transfers/id/{}/payload/download-bytes", serving.public, link["transfer_id"].as_str().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sealed = runtime.block_on(async { reqwest::get(url).await.unwrap().bytes().await.unwrap() });
    let flipped = |at: usize| {
        let mut damaged = sealed.to_vec();
        damaged[at] ^= 1;
        damaged
    };
    for (what, damaged) in [
        ("the header", flipped(3)),
        ("the first segment", flipped(1_000)),
        ("the last segment", flipped(sealed.len() - 1)),
        ("a cut", sealed[..sealed.len() - 1].to_vec()),
        ("a cut between segments", sealed[..1_048_576].to_vec()),
        ("an extension", [&sealed[..], b"x"].concat()),
    ] {
        let payload = home.file("damaged.enc", &damaged);
        let opened = home.run(&["open", &payload, "--key-file", &key, "-o", "out.bin"]);
        assert_eq!(opened.exit, 6, "{what}: {}", opened.stderr);
        assert!(!home.path().join("out.bin").exists(), "{what} was released");
    }
}

#[test]
fn stdin_has_a_single_use() {
    let (home, serving) = started();
    for arguments in [&["upload", "-", "--passphrase-file", "-"][..], &["open", "-", "--key-file", "-"]] {
        let finished = home.pipe_at(&serving, arguments, b"content that must not get lost");
        finished.expect_failure(2, "stdin cannot provide both");
    }
    let token = home.run_at(&serving, &["token", "create", "by pipe"]).text();
    home.pipe_at(&serving, &["upload", "-", "--token", "-"], token.as_bytes())
        .expect_failure(2, "stdin cannot provide both");
    let file = home.file("a.txt", b"hello");
    let link = home.pipe_at(&serving, &["upload", &file, "--token", "-"], token.as_bytes()).text();
    assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "hello");
    let bare = link.split('#').next().unwrap();
    let twice = home.pipe_at(&serving, &["download", "-", "--key-file", "-"], bare.as_bytes());
    twice.expect_failure(2, "stdin cannot provide both");
    assert_eq!(home.run_at(&serving, &["stats", "--json"]).json()["transfers"]["completed"], 1);
}

#[test]
fn misplaced_secrets_are_not_echoed() {
    let home = Home::new();
    let (key, passphrase) = ("lel2F8f6Xk3wZ0Qm5dV9nB1cT7yR4sH6gJ2aP8eU0iO", "hunter2");
    for arguments in
        [&["status", "x", key][..], &["download", "x", "-p", passphrase], &["upload", "x", "-p", passphrase]]
    {
        for json in [&[][..], &["--json"]] {
            let finished = home.run(&[arguments, json].concat());
            let printed = format!("{}{}", finished.stderr, String::from_utf8_lossy(&finished.stdout));
            assert_eq!(finished.exit, 2, "{printed}");
            assert!(!printed.contains(key) && !printed.contains(passphrase), "{printed}");
        }
    }
    std::fs::create_dir_all(home.path().join(".config/sgsend")).unwrap();
    home.file(".config/sgsend/config.toml", b"[profiles]\ntoken = \"sgs_SECRETSECRET\"\n");
    let finished = home.run(&["status", &"0".repeat(32)]);
    finished.expect_failure(2, "line 2");
    assert!(!finished.stderr.contains("SECRETSECRET"), "{}", finished.stderr);
}

#[test]
fn command_line_mistakes() {
    let home = Home::new();
    for arguments in [&["uplaod", "x"][..], &["upload"], &["upload", "x", "--no-such-flag"], &["download"], &["serve"]]
    {
        let finished = home.run(arguments);
        assert_eq!(finished.exit, 2, "{arguments:?}: {}", finished.stderr);
        let json = home.run(&[&["--json"], arguments].concat());
        assert_eq!((json.exit, json.json()["error"]["exit"].as_u64()), (2, Some(2)), "{arguments:?}");
    }
    assert!(home.run(&["uplaod", "x"]).stderr.contains("upload"), "no suggestion");
    std::fs::create_dir_all(home.path().join(".config/sgsend")).unwrap();
    home.file(".config/sgsend/config.toml", b"[profiles.work]\nsever = \"https://example.org\"\n");
    home.run(&["status", &"0".repeat(32)]).expect_failure(2, "sever");
}
