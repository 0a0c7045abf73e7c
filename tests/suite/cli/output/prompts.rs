//! Questions: each is alone on its line, before anything is counted, and ends at once at Ctrl-C.

use std::fs;

use crate::support::{Home, ServerProcess, Terminal, content};

const CTRL_C: &str = "\u{3}";

/// Starts a server with a saved token.
fn logged_in() -> (Home, ServerProcess) {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    (home, serving)
}

fn downloads(home: &Home, link: &str) -> u64 {
    home.run(&["status", link, "--json"]).json()["download_count"].as_u64().unwrap()
}

/// Checks that the terminal shows nothing else on the line of `question` before the answer.
fn assert_alone_on_line(shown: &str, question: &str) {
    let at = shown.find(question).unwrap();
    let before = shown[..at].rsplit(['\n', '\r']).next().unwrap();
    assert!(before.is_empty() || before == "\u{1b}[2K", "{before:?} precedes the question in {shown:?}");
    assert!(!shown[..at].contains("download "), "a bar was drawn before the question: {shown:?}");
}

#[test]
fn the_name_of_an_existing_file_is_asked_under_one_grant_before_the_bar() {
    let (home, serving) = logged_in();
    for (name, size) in [("small.bin", 5), ("large.bin", 60_000_000)] {
        let bytes = content(size);
        let file = home.file(name, &bytes);
        let link = home.run_at(&serving, &["upload", &file, "-d", "5"]).text();
        let question = format!("{name} already exists. [o]verwrite, [r]ename, [C]ancel?");
        for (answer, exit) in [(CTRL_C, 130), ("n\r", 9), ("\r", 9), ("\u{4}", 9), ("y\r", 0), ("YES\r", 0), ("o\r", 0)]
        {
            fs::write(&file, "old").unwrap();
            let mut terminal = Terminal::start(&home, &["download", &link], &[]);
            terminal.wait_for(&question);
            terminal.type_in(answer);
            let (ended, shown) = terminal.end();
            assert_eq!(ended, exit, "{answer:?}: {shown}");
            assert_alone_on_line(&shown, &question);
            assert!(fs::read(&file).unwrap() == if exit == 0 { bytes.clone() } else { b"old".to_vec() }, "{answer:?}");
            if exit == 130 {
                assert!(shown.contains("interrupted"), "{shown}");
                assert!(shown.contains("it does not count as another download"), "{shown}");
            }
            if exit != 0 {
                // All refused downloads share one grant, which the next one uses too.
                assert_eq!(downloads(&home, &link), 1, "{answer:?}");
            }
            if exit == 0 {
                break;
            }
        }
        fs::write(&file, "old").unwrap();
        assert_eq!(downloads(&home, &link), 1);
        let mut terminal = Terminal::start(&home, &["download", &link], &[]);
        terminal.wait_for(&question);
        terminal.type_in("r\r");
        let (exit, shown) = terminal.end();
        assert!(exit == 0 && shown.contains(" (1).bin"), "{shown}");
        assert_eq!(fs::read(&file).unwrap(), b"old");
    }
}

#[test]
fn an_existing_directory_is_asked_about() {
    let (home, serving) = logged_in();
    fs::create_dir(home.path().join("tree")).unwrap();
    home.file("tree/file", b"content");
    let link = home.run_at(&serving, &["upload", "tree", "-d", "5"]).text();
    let question = "tree already exists. [r]ename, [C]ancel?";
    for (answer, exit) in [(CTRL_C, 130), ("n\r", 9), ("y\r", 0)] {
        let mut terminal = Terminal::start(&home, &["download", &link], &[]);
        terminal.wait_for(question);
        terminal.type_in(answer);
        let (ended, shown) = terminal.end();
        assert_eq!(ended, exit, "{answer:?}: {shown}");
        assert_alone_on_line(&shown, question);
        assert_eq!(downloads(&home, &link), 1, "{answer:?}");
    }
    assert_eq!(fs::read(home.path().join("tree (1)/file")).unwrap(), b"content");
}

#[test]
fn a_chosen_file_is_asked_about_before_the_download_is_counted() {
    let (home, serving) = logged_in();
    let link = home.run_at(&serving, &["upload", &home.file("a.txt", b"new"), "-d", "1"]).text();
    home.file("b.txt", b"old");
    for (answer, exit) in [(CTRL_C, 130), ("no\r", 9)] {
        let mut terminal = Terminal::start(&home, &["download", &link, "-o", "b.txt"], &[]);
        terminal.wait_for("b.txt already exists.");
        terminal.type_in(answer);
        let (ended, shown) = terminal.end();
        assert_eq!((ended, downloads(&home, &link)), (exit, 0), "{answer:?}: {shown}");
    }
    assert_eq!(fs::read(home.path().join("b.txt")).unwrap(), b"old");
}

/// A command that asks, its question, and whether the answer is hidden.
type Asking<'a> = (&'a [&'a str], &'a str, bool);

#[test]
fn every_question_ends_at_ctrl_c() {
    let (home, serving) = logged_in();
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file]).text();
    let bare = link.split_once('#').unwrap().0.to_owned();
    let locked = home.pipe_at(&serving, &["upload", &file, "--passphrase-file", "-"], b"open sesame").text();
    let token = home.run_at(&serving, &["token", "create", "other"]).text();
    let token = home.file("token", token.as_bytes());
    let other = ["login", &serving.public, "--token-file", &token];
    let server = ["--server", &serving.public, "--admin-server", &serving.admin];
    let create = [&server[..], &["token", "create", "x", "--login"]].concat();
    let upload = [&server[..], &["upload", &file, "-p"]].concat();
    let asking: &[Asking<'_>] = &[
        (&["download"], "Link:", true),
        (&["download", &bare], "Key:", true),
        (&["download", &locked], "Passphrase:", true),
        (&["download", &link], "already exists.", false),
        (&["download", &link, "-o", "a.txt"], "already exists.", false),
        (&["open", "a.txt"], "Key:", true),
        (&["status"], "Link:", true),
        (&["delete"], "Link:", true),
        (&["login"], "Server [", false),
        (&["login", &serving.public], "Sender token:", true),
        (&other, "Replace it? [y/N]", false),
        (&create, "Replace it? [y/N]", false),
        (&upload, "Passphrase:", true),
        (&["history", "--clear"], "[y/N]", false),
    ];
    for (arguments, question, is_hidden) in asking {
        // The signal and the failed read of a hidden prompt race.
        for _ in 0..if *is_hidden { 6 } else { 3 } {
            let mut terminal = Terminal::start(&home, arguments, &[]);
            terminal.wait_for(question);
            if *is_hidden {
                terminal.type_secret(CTRL_C);
            } else {
                terminal.type_in(CTRL_C);
            }
            let (exit, shown) = terminal.end();
            assert_eq!(exit, 130, "{arguments:?}: {shown}");
            assert!(shown.contains("interrupted"), "{arguments:?}: {shown}");
        }
    }
    for _ in 0..30 {
        let mut terminal = Terminal::start(&home, &["download"], &[]);
        terminal.wait_for("Link:");
        terminal.type_secret(CTRL_C);
        let (exit, shown) = terminal.end();
        assert_eq!(exit, 130, "{shown}");
    }
    assert_eq!(home.run(&["history", "--json"]).json()["items"].as_array().unwrap().len(), 2);
}

#[test]
fn a_signal_at_a_hidden_prompt_restores_the_echo() {
    let home = Home::new();
    let script = r#""$@"; echo "exit $?"; stty -a"#;
    for signal in ["INT", "TERM"] {
        let mut terminal = Terminal::in_shell(script, &home, &["status"]);
        terminal.wait_for("Link:");
        terminal.wait_until_hidden();
        terminal.signal(signal);
        let (_, shown) = terminal.end();
        let exit = if signal == "INT" { "exit 130" } else { "exit 143" };
        assert!(shown.contains(exit), "{shown}");
        let settings: Vec<_> = shown.split_whitespace().collect();
        assert!(settings.contains(&"echo") && settings.contains(&"icanon"), "{shown}");
    }
}

#[test]
fn clearing_the_history_is_asked_and_reported() {
    let (home, serving) = logged_in();
    let file = home.file("a.txt", b"hello");
    let upload = || home.run_at(&serving, &["upload", &file]).text();
    let entries = || home.run(&["history", "--json"]).json()["items"].as_array().unwrap().len();
    let clear = |answer: &str| {
        let mut terminal = Terminal::start(&home, &["history", "--clear"], &[]);
        terminal.wait_for("Remove 2 uploads from the history, with any stored keys? [y/N]");
        terminal.type_in(answer);
        terminal.end()
    };
    upload();
    upload();
    for answer in ["n\r", "\r", "what\r"] {
        let (exit, shown) = clear(answer);
        assert!(exit == 0 && shown.contains("nothing was removed") && entries() == 2, "{shown}");
    }
    let (exit, shown) = clear("y\r");
    assert!(exit == 0 && shown.contains("removed 2 uploads from the history") && entries() == 0, "{shown}");
    upload();
    let (exit, shown) = Terminal::start(&home, &["history", "--clear", "-y"], &[]).end();
    assert!(exit == 0 && shown.contains("removed 1 upload from the history") && !shown.contains("[y/N]"), "{shown}");
    let finished = home.run(&["history", "--clear"]);
    assert!(finished.exit == 0 && finished.stderr.contains("removed 0 uploads"), "{}", finished.stderr);
}

#[test]
fn yes_is_accepted_only_where_a_question_exists() {
    let home = Home::new();
    for arguments in [&["delete", "-y", "x"][..], &["status", "--yes", "x"], &["upload", "-y", "x"], &["stats", "-y"]] {
        let finished = home.run(arguments);
        assert_eq!(finished.exit, 2, "{arguments:?}");
        assert!(finished.stderr.contains("unexpected argument"), "{arguments:?}: {}", finished.stderr);
    }
    for command in ["download", "open", "login", "history"] {
        let help = home.run(&[command, "--help"]).text();
        assert!(help.contains("--yes"), "{command}: {help}");
    }
}
