//! Interactive use at a terminal: prompts, progress output and interruption.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{BlockingProxy, Direction, Home, ServerProcess, Terminal};

const CTRL_C: &str = "\u{3}";

fn logged_in() -> (Home, ServerProcess) {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let serving = home.serve(&["--storage", &store]);
    home.log_in(&serving);
    (home, serving)
}

#[test]
fn a_token_prompt_does_not_echo() {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    let token = home.run_at(&serving, &["token", "create", "test"]).text();
    let mut terminal = Terminal::start(&home, &["login", &serving.public], &[]);
    terminal.wait_for("oken");
    terminal.type_secret(&format!("{}\r", token.trim()));
    let (exit, shown) = terminal.end();
    assert_eq!(exit, 0, "{shown}");
    assert!(!shown.contains(token.trim()), "{shown}");
    let file = home.file("a.txt", b"hello");
    assert_eq!(home.run(&["upload", &file, "--server", &serving.public]).exit, 0);
}

#[test]
fn an_upload_shows_progress_and_result() {
    let (home, serving) = logged_in();
    let proxy = BlockingProxy::to(&serving.public);
    let token = home.run_at(&serving, &["token", "create", "test"]).text();
    let file = home.file("long.bin", &vec![7; 30 << 20]);
    proxy.close_after(Direction::Upstream, 12 << 20);
    let environment = [("SGSEND_TOKEN", token.trim())];
    let mut terminal =
        Terminal::start(&home, &["upload", &file, "--server", &proxy.url, "--qr", "--resume"], &environment);
    // A progress bar with transferred size, total size, rate and remaining time.
    terminal.wait_for("MiB of 30.50 MiB");
    terminal.wait_for("/s");
    proxy.wait();
    terminal.type_in(CTRL_C);
    terminal.wait_for("--resume");
    let (exit, shown) = terminal.end();
    assert_eq!(exit, 130, "{shown}");
    proxy.open();

    let mut terminal =
        Terminal::start(&home, &["upload", &file, "--server", &proxy.url, "--qr", "--resume"], &environment);
    terminal.wait_for("resuming transfer");
    terminal.wait_for("#v1.");
    // The QR code of the link, dark on light.
    terminal.wait_for("\u{1b}[30;107m");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn a_download_prompts_for_link_and_overwrite() {
    let (home, serving) = logged_in();
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file]).text();
    for (answer, exit, content) in [("s", 9, "old"), ("", 9, "old"), ("o", 0, "hello")] {
        fs::write(home.path().join("b.txt"), "old").unwrap();
        let mut terminal = Terminal::start(&home, &["download", "-o", "b.txt"], &[]);
        terminal.wait_for("Link:");
        terminal.type_secret(&format!("{}\r", link.trim()));
        terminal.wait_for("already exists");
        terminal.type_in(&format!("{answer}\r"));
        let (ended, shown) = terminal.end();
        assert_eq!(
            (ended, fs::read_to_string(home.path().join("b.txt")).unwrap().as_str()),
            (exit, content),
            "{shown}"
        );
        assert!(!shown.contains("#v1."), "the key was printed: {shown}");
    }
    let mut terminal = Terminal::start(&home, &["download", link.trim(), "-o", "b.txt"], &[]);
    terminal.wait_for("already exists");
    terminal.type_in("r\r");
    terminal.wait_for("b (1).txt");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn a_passphrase_is_prompted_twice_without_echo() {
    let (home, serving) = logged_in();
    let file = home.file("a.txt", b"hello");
    let send = |second: &str| {
        let mut terminal = Terminal::start(&home, &["upload", &file, "-p", "--server", &serving.public], &[]);
        terminal.wait_for("Passphrase:");
        terminal.type_secret("open sesame\r");
        terminal.wait_for("Repeat passphrase:");
        terminal.type_secret(&format!("{second}\r"));
        terminal.end()
    };
    let (exit, shown) = send("open sesam");
    assert!(exit == 2 && shown.contains("differ") && !shown.contains("sesam"), "{shown}");
    let (exit, shown) = send("open sesame");
    assert!(exit == 0 && !shown.contains("sesame"), "{shown}");
    // A progress bar may precede the link on the same line.
    let link = shown.lines().find(|line| line.contains("#v1p.")).unwrap();
    let link = link[link.find("http").unwrap()..].trim();
    let mut terminal = Terminal::start(&home, &["download", link, "-o", "b.txt"], &[]);
    terminal.wait_for("Passphrase:");
    terminal.type_secret("open sesame\r");
    terminal.wait_for("authenticity verified");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let home = Home::new();
    let run = |environment: &[(&str, &str)]| Terminal::start(&home, &["status", "nonsense"], environment).end();
    let (exit, shown) = run(&[]);
    assert!(exit == 2 && shown.contains("\u{1b}[31;1merror:"), "{shown}");
    for plain in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let (_, shown) = run(&[plain]);
        assert!(!shown.contains('\u{1b}') && shown.contains("error:"), "{shown}");
    }
}

#[test]
fn prompts_can_be_disabled() {
    let (home, serving) = logged_in();
    let file = home.file("a.txt", b"hello");
    let link = home.run_at(&serving, &["upload", &file]).text();
    fs::write(home.path().join("b.txt"), "old").unwrap();
    let (exit, shown) = Terminal::start(&home, &["download", link.trim(), "-o", "b.txt", "--no-input"], &[]).end();
    assert!(exit == 9 && shown.contains("--overwrite"), "{shown}");
    let (exit, shown) = Terminal::start(&home, &["upload", &file, "-p", "--no-input"], &[]).end();
    assert!(exit == 2 && shown.contains("passphrase"), "{shown}");
}

#[test]
fn a_link_is_copied_to_the_clipboard() {
    let (home, serving) = logged_in();
    let file = home.file("a.txt", b"hello");
    // A minimal clipboard program.
    let programs = home.path().join("bin");
    fs::create_dir(&programs).unwrap();
    let program = programs.join("xclip");
    fs::write(&program, "#!/bin/sh\n[ \"$*\" = '-selection clipboard' ] && exec /bin/cat >\"$HOME/clipboard\"\n")
        .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = home.sgsend(&["upload", &file, "--copy", "--server", &serving.public]);
    let output = command.env("PATH", &programs).env("DISPLAY", ":0").output().unwrap();
    let link = String::from_utf8(output.stdout).unwrap();
    assert_eq!(fs::read_to_string(home.path().join("clipboard")).unwrap(), link.trim());

    // Without a clipboard program, the terminal gets an OSC 52 sequence; without a terminal, a warning is printed.
    let arguments = ["upload", &file, "--copy", "--server", &serving.public];
    let (exit, shown) = Terminal::start(&home, &arguments, &[("PATH", "/nonexistent")]).end();
    assert!(exit == 0 && shown.contains("\u{1b}]52;c;"), "{shown}");
    let output = home.sgsend(&arguments).env("PATH", "/nonexistent").output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("not copied to the clipboard"));
}

#[test]
fn a_narrow_terminal_gets_a_sentence_instead_of_a_qr_code() {
    let (home, serving) = logged_in();
    let file = home.file("a.txt", b"hello");
    let arguments = ["upload", &file, "--qr", "--server", &serving.public];
    // The width of the code depends on the digits of the link.
    for (columns, is_shown) in [(160, true), (60, true), (44, false), (20, false)] {
        let (exit, shown) = Terminal::of_width(columns, &home, &arguments, &[]).end();
        assert_eq!(exit, 0, "{shown}");
        assert_eq!(shown.contains("\u{1b}[30;107m"), is_shown, "{shown}");
        let needed = shown.split("the QR code needs a terminal with at least ").nth(1);
        let needed = needed.map(|rest| rest.split_once(" columns").unwrap().0.parse::<u16>().unwrap());
        assert_eq!(needed.is_some(), !is_shown, "{shown}");
        assert!(needed.is_none_or(|needed| (45..=60).contains(&needed)), "{shown}");
    }
}
