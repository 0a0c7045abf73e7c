//! Usage errors that show the command that was probably meant, and offer it on a terminal.

use std::fs;

use crate::support::{Home, ServerProcess, Terminal};

fn started() -> (Home, ServerProcess, String, String) {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    let file = home.file("it's a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file]).text();
    (home, serving, file, link)
}

fn secret_of(link: &str) -> &str {
    link.rsplit_once('.').unwrap().1
}

#[test]
fn files_and_links_without_a_command() {
    let (home, _serving, file, link) = started();
    let quoted = format!("'{}'", file.replace('\'', r"'\''"));
    for (arguments, command) in [
        (&[&*file][..], format!("`sgsend upload {quoted}`")),
        (&[&file, "-e", "1d"], format!("`sgsend upload {quoted} -e 1d`")),
        (&[&link], "`sgsend download LINK`".into()),
        (&[&link, "out.txt"], "`sgsend download LINK -o out.txt`".into()),
        (&["download", &link, "out.txt"], "`sgsend download LINK -o out.txt`".into()),
    ] {
        let finished = home.run(arguments);
        finished.expect_failure(2, "");
        assert!(finished.stderr.contains(&command), "{command} is not in {}", finished.stderr);
        assert!(!finished.stderr.contains(secret_of(&link)), "{}", finished.stderr);
        let json = home.run(&[&["--json"], arguments].concat()).json();
        let hint = json["error"]["hint"].as_str().unwrap();
        assert!(hint.contains(command.trim_start_matches("`sgsend ").trim_end_matches('`')), "{hint}");
        // Without a terminal nothing runs.
        assert!(!home.path().join("out.txt").exists());
    }
}

#[test]
fn a_terminal_offers_to_run_the_command() {
    let (home, _serving, file, link) = started();
    for (answer, exit, is_saved) in [("n\r", 2, false), ("\u{4}", 2, false), ("\r", 0, true), ("y\r", 0, true)] {
        let mut terminal = Terminal::start(&home, &[&link, "out.txt"], &[]);
        terminal.wait_for("sgsend download LINK -o out.txt");
        terminal.wait_for("[Y/n]");
        terminal.type_in(answer);
        let (ended, shown) = terminal.end();
        assert_eq!((ended, home.path().join("out.txt").exists()), (exit, is_saved), "{shown}");
        assert!(!shown.contains(secret_of(&link)), "{shown}");
        let _ = fs::remove_file(home.path().join("out.txt"));
    }
    let mut terminal = Terminal::start(&home, &[&file], &[]);
    terminal.wait_for("[Y/n]");
    terminal.type_in("y\r");
    terminal.wait_for("#v1.");
    assert_eq!(terminal.end().0, 0);
    let (exit, shown) = Terminal::start(&home, &["--no-input", &file], &[]).end();
    assert!(exit == 2 && !shown.contains("[Y/n]"), "{shown}");
    // Other mistakes are only named.
    let (exit, shown) = Terminal::start(&home, &["dowload", &link], &[]).end();
    assert!(exit == 2 && shown.contains("`sgsend download LINK`") && !shown.contains("[Y/n]"), "{shown}");
}

#[test]
fn links_and_files_in_each_others_place() {
    let (home, serving, file, link) = started();
    for command in [&["upload"][..], &["upload", "--dry-run"], &["open"], &["open", "--raw"]] {
        let finished = home.run_at(&serving, &[command, &[&link]].concat());
        finished.expect_failure(2, "this is a link, not a file");
        assert!(finished.stderr.contains("`sgsend download LINK`"), "{}", finished.stderr);
        assert!(!finished.stderr.contains(secret_of(&link)), "{}", finished.stderr);
    }
    let finished = home.run(&["download", &file]);
    finished.expect_failure(2, "this is a file, not a link");
    assert!(finished.stderr.contains(r"sgsend upload '"), "{}", finished.stderr);
}

#[test]
fn servers_without_a_scheme() {
    let (home, serving, file, link) = started();
    let host = serving.public.trim_start_matches("http://");
    let token = home.file("token", home.run_at(&serving, &["token", "create", "x"]).text().as_bytes());
    let other = Home::new();
    let finished = other.run(&["login", host, "--token-file", &token]);
    assert_eq!(finished.exit, 0, "{}", finished.stderr);
    assert!(finished.stderr.contains(&serving.public), "{}", finished.stderr);
    other.run(&["upload", &file]).text();
    let finished = home.run(&["--server", host, "history"]);
    finished.expect_failure(2, "--server is not a server url");
    assert!(finished.stderr.contains(&format!("did you mean {}?", serving.public)), "{}", finished.stderr);
    for misplaced in [&*link, "sgs_0123456789abcdef_hunter2"] {
        for arguments in [&["login", misplaced][..], &["--server", misplaced, "status", "0"]] {
            let finished = home.run(arguments);
            finished.expect_failure(2, "is not a server url, but");
            let is_shown = finished.stderr.contains("hunter2") || finished.stderr.contains(secret_of(&link));
            assert!(!is_shown, "{}", finished.stderr);
        }
    }
}

#[test]
fn a_missing_admin_key_is_named_with_the_command() {
    let home = Home::new();
    let finished = home.run(&["--admin-server", "http://127.0.0.1:9", "token", "revoke", &"0".repeat(16)]);
    finished.expect_failure(5, "no admin key");
    let command = "`sgsend --admin-key-file FILE --admin-server http://127.0.0.1:9 token revoke 0000000000000000`";
    assert!(finished.stderr.contains(command), "{}", finished.stderr);
}
