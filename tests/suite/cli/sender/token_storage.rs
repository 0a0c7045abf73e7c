//! Tokens for another server, and tokens that could not be printed.

use std::fs::{self, File};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{FinishedCommand, Home, ServerProcess, Terminal};

/// Starts a server; returns an unsaved token, and the link of a transfer created with the token.
fn started() -> (Home, ServerProcess, String, String) {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let token = home.run_at(&serving, &["token", "create", "x"]).text();
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file, "--token", &token]).text();
    (home, serving, token, link)
}

#[test]
fn a_token_for_another_server_is_not_reported_as_missing() {
    let (home, serving, token, link) = started();
    let finished = home.run(&["--token", &token, "delete", &link]);
    finished
        .expect_failure(5, &format!("token is for http://127.0.0.1:8080, but the link points to {}", serving.public));
    assert!(finished.stderr.contains(&format!("add --server {} if", serving.public)), "{}", finished.stderr);
    // The hint in the error works.
    home.run(&["--token", &token, "delete", &link, "--server", &serving.public]).text();
}

#[test]
fn the_error_names_the_server_of_an_environment_token() {
    let (home, serving, token, _) = started();
    let file = home.file("a.txt", b"hello");
    for arguments in [&["upload", &file][..], &["doctor"]] {
        let mut command = home.sgsend(&[arguments, &["-s", &serving.public]].concat());
        command.env("SGSEND_SERVER", "http://127.0.0.1:9").env("SGSEND_TOKEN", &token);
        let finished = FinishedCommand::of(command.output().unwrap());
        let printed = format!("{}{}", finished.stderr, String::from_utf8_lossy(&finished.stdout));
        assert!(printed.contains("for http://127.0.0.1:9"), "{printed}");
        assert!(printed.contains(&format!("set SGSEND_SERVER to {}", serving.public)), "{printed}");
        assert!(!printed.contains(&token), "{printed}");
    }
}

#[test]
fn the_suggested_delete_command_works() {
    let (home, serving, token, _) = started();
    home.file("a.txt", b"hello");
    let token_file = home.file("token", token.as_bytes());
    let arguments = ["upload", "a.txt", "-s", &serving.public, "--token-file", &token_file];
    let (exit, shown) = Terminal::start(&home, &arguments, &[]).end();
    assert_eq!(exit, 0, "{shown}");
    let advice = shown.split("delete with the same token: sgsend ").nth(1).unwrap().lines().next().unwrap().trim();
    let second: Vec<_> = advice.split(' ').chain(["--token-file", &token_file]).collect();
    home.run(&second).text();
}

/// Runs `token create` with an unusable `stdout`, and checks that the new token was revoked.
fn create_with_unusable_stdout(home: &Home, serving: &ServerProcess, arguments: &[&str], stdout: Stdio) {
    let all = [&["token", "create", "lost", "--admin-server", &serving.admin], arguments].concat();
    let finished = home.sgsend(&all).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let finished = FinishedCommand::of(finished);
    assert_eq!(finished.exit, 9, "{}", finished.stderr);
    assert!(arguments == ["--json"] || finished.stderr.contains("the token was revoked"), "{}", finished.stderr);
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
        create_with_unusable_stdout(
            &home,
            &serving,
            arguments,
            File::options().write(true).open("/dev/full").unwrap().into(),
        );
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        create_with_unusable_stdout(&home, &serving, arguments, writer.into());
    }
    assert!(!fs::exists(home.path().join(".config/sgsend/config.toml")).unwrap());
}

#[test]
fn a_saved_token_is_not_replaced_silently() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let config = home.path().join(".config/sgsend/config.toml");
    let create =
        |arguments: &[&str]| home.run_at(&serving, &[&["token", "create", "a name", "--login"], arguments].concat());
    let first = create(&[]).text();
    let saved = || fs::read_to_string(&config).unwrap();
    assert!(saved().contains(&first));

    // Refused before a token is created.
    let finished = create(&[]);
    finished.expect_failure(9, "profile default already has a sender token");
    assert!(finished.stderr.contains("sgsend -P NEW_PROFILE token create 'a name' --login"), "{}", finished.stderr);
    assert!(finished.stderr.contains("--replace"), "{}", finished.stderr);
    let tokens = home.run_at(&serving, &["token", "list", "--json"]).json();
    assert_eq!(tokens["items"].as_array().unwrap().len(), 1, "{tokens}");
    assert!(saved().contains(&first));

    // `login` refuses another token, but accepts the saved one again.
    let other = home.run_at(&serving, &["token", "create", "other"]).text();
    let log_in = |token: &str, arguments: &[&str]| {
        let arguments = [&["login", &serving.public, "--token", "-"], arguments].concat();
        home.pipe_at(&serving, &arguments, token.as_bytes())
    };
    let finished = log_in(&other, &[]);
    finished.expect_failure(9, "profile default already has a sender token");
    assert!(
        finished.stderr.contains(&format!("sgsend -P NEW_PROFILE login {}", serving.public)),
        "{}",
        finished.stderr
    );
    assert_eq!(log_in(&first, &[]).exit, 0);
    assert!(saved().contains(&first) && !saved().contains(&other));

    // The command in the hint keeps both; --replace and -y replace.
    log_in(&other, &["-P", "second"]).text();
    assert!(saved().contains(&first) && saved().contains(&other));
    let third = create(&["--replace"]).text();
    assert!(saved().contains(&third) && !saved().contains(&first));
    assert_eq!(log_in(&first, &["-y"]).exit, 0);
    assert!(saved().contains(&first) && !saved().contains(&third));
    assert_eq!(log_in(&third, &["--replace"]).exit, 0);
    assert!(saved().contains(&third));

    for (answer, exit) in [("n\r", 9), ("y\r", 0)] {
        let file = home.file("token", other.as_bytes());
        let mut terminal = Terminal::start(&home, &["login", &serving.public, "--token-file", &file], &[]);
        terminal.wait_for(&format!("profile default already has a sender token, for {}", serving.public));
        terminal.wait_for("Replace it? [y/N]");
        terminal.type_in(answer);
        let (ended, shown) = terminal.end();
        assert_eq!((ended, saved().contains(&third)), (exit, exit != 0), "{shown}");
    }
}
