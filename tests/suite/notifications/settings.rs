//! Settings of notifications: secrets, files, and what is rejected.

use super::receiver::Receiver;
use crate::support::Home;

#[test]
fn the_secret_of_a_webhook_is_printed_once_and_signs_its_notifications() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let key = home.file("webhook-key", b"a key for the secrets of webhooks in tests\n");
    let receiver = Receiver::start();
    let start = || {
        let server = home.server().storage(&store).env("SGSEND_WEBHOOK", &receiver.url);
        server.env("SGSEND_WEBHOOK_KEY_FILE", &key).env("SGSEND_WEBHOOK_ALLOW_PRIVATE", "true").start()
    };
    let server = start();
    home.log_in(&server);
    let file = home.file("a.txt", b"abc");
    home.run_at(&server, &["upload", &file]).text();
    let request = receiver.wait_for(1).remove(0);
    let log = server.terminate();
    let secret = log.split_whitespace().find(|word| word.starts_with("whsec_"));
    request.check_signature(secret.unwrap_or_else(|| panic!("no secret is printed: {log}")));
    let log = start().terminate();
    assert!(!log.contains("whsec_"), "the secret is printed again: {log}");
}

#[test]
fn a_token_gets_its_webhook_by_the_command_line() {
    let home = Home::new();
    let key = home.file("webhook-key", b"a key for the secrets of webhooks in tests\n");
    let receiver = Receiver::start();
    let server = home.serve_any(&["--webhook-key-file", &key, "--webhook-allow-private"]);
    let created = home.run_at(&server, &["token", "create", "x", "--login", "--webhook", &receiver.url]);
    let secret = created.stderr.split_whitespace().find(|word| word.starts_with("whsec_")).unwrap().to_owned();
    let token = created.text();
    let file = home.file("a.txt", b"abc");
    home.run_at(&server, &["upload", &file, "--notify", "never"]).text();
    let link = home.run_at(&server, &["upload", &file, "--notify", "first"]).text();
    let request = receiver.wait_for(1).remove(0);
    request.check_signature(&secret);
    assert!(link.contains(request.json()["transfer_id"].as_str().unwrap()));
    // The receiver knows the id, which is not enough for a download.
    let status = home.run_at(&server, &["status", &link, "--json"]).json();
    assert_eq!(status["access_proof"], true);
    let id = token.split('_').nth(1).unwrap();
    let changed = home.run_at(&server, &["token", "update", id, "--no-webhook", "--notify", "every", "--json"]).json();
    assert_eq!(changed["notifications"]["choice"], "every");
    assert!(changed["notifications"].get("webhook").is_none());
    home.run_at(&server, &["token", "update", id]).expect_failure(2, "nothing to change");
}

#[test]
fn unusable_settings_are_rejected_before_the_store_is_opened() {
    let home = Home::new();
    let short = home.file("short", b"too short");
    let (hook, storage) =
        ("https://hooks.example/x", ["serve", "all", "--storage", "memory:", "--listen", "127.0.0.1:0"]);
    for (arguments, words) in [
        (&["--webhook", hook] as &[&str], "secret"),
        (&["--webhook", "hooks.example"], "webhook url"),
        (&["--webhook", hook, "--webhook-secret-file", &short], "webhook secret"),
        (&["--webhook", hook, "--webhook-key-file", &short], "32"),
        (&["--webhook-key-file", "/no/such/file"], "webhook key"),
        (&["--webhook-secret-file", &short], "--webhook"),
        (&["--smtp-url", "smtp://mail.example"], "mail server"),
        (&["--smtp-url-file", &short], "mail server"),
    ] {
        home.run(&[&storage, arguments].concat()).expect_failure(2, words);
    }
}
