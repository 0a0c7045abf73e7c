//! `sgsend serve --config-file`: precedence, secrets, errors and reloading.

use super::invalid_settings::fail_to_start;
use crate::support::{FinishedCommand, Home, ServerBuilder};

const MIB: u64 = 1024 * 1024;

fn max_size(home: &Home, server: ServerBuilder) -> u64 {
    let serving = server.start();
    let url = if serving.public.is_empty() { &serving.admin } else { &serving.public };
    let health = home.run(&["health", "--live", "--json", "--server", url]).json();
    health["limits"]["max_content_bytes"].as_u64().unwrap()
}

#[test]
fn flags_override_the_environment_and_the_environment_overrides_the_file() {
    let home = Home::new();
    let file = home.file("serve.toml", b"storage = \"memory:\"\nmax-size = \"3MiB\"\nlisten = \"192.0.2.1:1\"\n");
    let server = || home.server().arguments(&["--config-file", &file]);
    assert_eq!(max_size(&home, server()), 3 * MIB);
    assert_eq!(max_size(&home, server().env("SGSEND_MAX_SIZE", "2MiB")), 2 * MIB);
    assert_eq!(max_size(&home, server().env("SGSEND_MAX_SIZE", "")), 3 * MIB);
    assert_eq!(max_size(&home, server().env("SGSEND_MAX_SIZE", "2MiB").arguments(&["--max-size", "1MiB"])), MIB);
    let by_variable = home.server().env("SGSEND_CONFIG_FILE", &file);
    assert_eq!(max_size(&home, by_variable), 3 * MIB);
}

#[test]
fn secrets_are_in_files_and_a_variable_overrides_their_path() {
    let home = Home::new();
    let keys = ["f".repeat(40), "e".repeat(40)];
    let key_file = home.file("key", keys[0].as_bytes());
    let text = format!("storage = \"memory:\"\nadmin-key-file = {key_file:?}\n");
    let file = home.file("serve.toml", text.as_bytes());
    let tokens = |admin: &str, key: &str| {
        let mut command = home.sgsend(&["--admin-server", admin, "token", "list"]);
        FinishedCommand::of(command.env("SGSEND_ADMIN_KEY", key).output().unwrap()).exit
    };
    let serving = home.server().arguments(&["--config-file", &file]).start();
    assert_eq!(keys.each_ref().map(|key| tokens(&serving.admin, key)), [0, 5]);
    let serving = home.server().arguments(&["--config-file", &file]).env("SGSEND_ADMIN_KEY", &keys[1]).start();
    assert_eq!(keys.each_ref().map(|key| tokens(&serving.admin, key)), [5, 0]);
    for text in ["admin-key = \"sgs_secret\"\n", "token = \"sgs_secret\"\n", "metrics-key = \"sgs_secret\"\n"] {
        let file = home.file("secret.toml", text.as_bytes());
        let finished = fail_to_start(home.sgsend(&["serve", "public", "--config-file", &file]));
        finished.expect_failure(2, "unknown key");
        assert!(!finished.stderr.contains("sgs_secret"), "{}", finished.stderr);
    }
}

#[test]
fn an_unusable_file_prevents_the_start_and_is_named() {
    let home = Home::new();
    for (text, named) in [
        ("max_size = \"1MiB\"\n", "line 1: unknown key `max_size`: did you mean `max-size`?"),
        ("storage = \"memory:\"\nmax-size = 0\n", "line 2: invalid value '0' for `max-size`"),
        ("max-size", "line 1: "),
        ("no-bytes-fallback = \"perhaps\"\n", "0, false, no or off"),
    ] {
        let file = home.file("serve.toml", text.as_bytes());
        let finished = fail_to_start(home.sgsend(&["serve", "public", "--config-file", &file]));
        assert_eq!(finished.exit, 2);
        assert!(finished.stderr.contains(named) && finished.stderr.contains("serve.toml"), "{}", finished.stderr);
        let json = fail_to_start(home.sgsend(&["serve", "public", "--json", "--config-file", &file])).json();
        assert_eq!(json["error"]["code"], "config");
    }
    fail_to_start(home.sgsend(&["serve", "public", "--config-file", "/no/such"])).expect_failure(2, "/no/such");
}

#[test]
fn sighup_reads_no_settings_but_says_that_they_have_changed() {
    let home = Home::new();
    let file = home.file("serve.toml", b"storage = \"memory:\"\n");
    let serving = home.server().arguments(&["--config-file", &file]).start();
    let reload = || {
        serving.signal("HUP");
        // The service handles signals in order with this request.
        home.run(&["health", "--server", &serving.public]).text();
    };
    reload();
    home.file("serve.toml", b"storage = \"memory:\"\nmax-size = \"1MiB\"\n");
    reload();
    let health = home.run(&["health", "--live", "--json", "--server", &serving.public]).json();
    assert_eq!(health["limits"]["max_content_bytes"], 100 * MIB);
    let log = serving.terminate();
    assert_eq!(log.matches("restart the service to apply it").count(), 1, "{log}");
}

#[test]
fn the_documented_file_is_complete_and_valid() {
    let home = Home::new();
    let document = include_str!("../../../../docs/deploy.md");
    let text = document.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    let key = home.file("metrics-key", &[b'k'; 40]);
    let text = text.replace("/var/lib/sgsend/store", home.path().join("store").to_str().unwrap());
    let text = text.replace("/etc/sgsend/metrics-key", &key);
    assert!(text.contains("metrics-key-file = "), "{text}");
    let file = home.file("serve.toml", text.as_bytes());
    let server = home.server().only("public").arguments(&["--config-file", &file]);
    assert_eq!(max_size(&home, server), 2048 * MIB);
}
