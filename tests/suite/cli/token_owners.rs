//! Tokens that belong elsewhere, and tokens that nobody has seen.

use std::fs::{self, File};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Home, Said, Serving, Terminal};

/// A server, a token of it that is kept nowhere, and a transfer that was created with it.
fn started() -> (Home, Serving, String, String) {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let token = home.run_at(&serving, &["token", "create", "x"]).text();
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file, "--token", &token]).text();
    (home, serving, token, link)
}

#[test]
fn a_token_that_was_given_is_not_said_to_be_missing() {
    let (home, serving, token, link) = started();
    let said = home.run(&["--token", &token, "delete", &link]);
    said.failed(5, &format!("the sender token is for http://127.0.0.1:8080, and the link leads to {}", serving.public));
    assert!(said.stderr.contains(&format!("say --server {} if", serving.public)), "{}", said.stderr);
    // What it says works.
    home.run(&["--token", &token, "delete", &link, "--server", &serving.public]).text();
}

#[test]
fn a_token_of_the_environment_is_said_to_be_for_its_server() {
    let (home, serving, token, _) = started();
    let file = home.file("a.txt", b"hello");
    for arguments in [&["upload", &file][..], &["doctor"]] {
        let mut command = home.sgsend(&[arguments, &["-s", &serving.public]].concat());
        command.env("SGSEND_SERVER", "http://127.0.0.1:9").env("SGSEND_TOKEN", &token);
        let said = Said::of(command.output().unwrap());
        let told = format!("{}{}", said.stderr, String::from_utf8_lossy(&said.stdout));
        assert!(told.contains("for http://127.0.0.1:9, and"), "{told}");
        assert!(told.contains(&format!("set SGSEND_SERVER to {}", serving.public)), "{told}");
        assert!(!told.contains(&token), "{told}");
    }
}

#[test]
fn the_advice_how_to_delete_works() {
    let (home, serving, token, _) = started();
    home.file("a.txt", b"hello");
    let kept = home.file("token", token.as_bytes());
    let arguments = ["upload", "a.txt", "-s", &serving.public, "--token-file", &kept];
    let (exit, shown) = Terminal::start(&home, &arguments, &[]).end();
    assert_eq!(exit, 0, "{shown}");
    let advice = shown.split("delete it with: sgsend ").nth(1).unwrap();
    let advice = advice.lines().next().unwrap().trim().strip_suffix(", and the same token").unwrap();
    let again: Vec<_> = advice.split(' ').chain(["--token-file", &kept]).collect();
    home.run(&again).text();
}

/// Runs `token create` with this stdout, and checks that no token is left that somebody could use.
fn created_for_nobody(home: &Home, serving: &Serving, arguments: &[&str], stdout: Stdio) {
    let all = [&["token", "create", "lost", "--admin-server", &serving.admin], arguments].concat();
    let said = home.sgsend(&all).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let said = Said::of(said);
    assert_eq!(said.exit, 9, "{}", said.stderr);
    assert!(arguments == ["--json"] || said.stderr.contains("it was revoked"), "{}", said.stderr);
    let tokens = home.run_at(serving, &["token", "list", "--json"]).json();
    let is_lost = |token: &&Value| token["name"] == "lost";
    let statuses: Vec<_> = tokens["items"].as_array().unwrap().iter().filter(is_lost).map(|t| &t["status"]).collect();
    assert!(!statuses.is_empty() && statuses.iter().all(|status| *status == "revoked"), "{tokens}");
}

#[test]
fn a_token_that_cannot_be_printed_is_revoked() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    for arguments in [&[][..], &["--json"]] {
        created_for_nobody(&home, &serving, arguments, File::options().write(true).open("/dev/full").unwrap().into());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        created_for_nobody(&home, &serving, arguments, writer.into());
    }
    assert!(!fs::exists(home.path().join(".config/sgsend/config.toml")).unwrap());
}
