//! Error texts: they name the actual cause in the project's own words, and give a fitting hint.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use crate::support::{FinishedCommand, Home, ServerProcess, Terminal};

/// The generic hint, useful only for a mistyped option.
const FALLBACK: &str = "`sgsend help COMMAND`";

fn logged_in() -> (Home, ServerProcess) {
    let home = Home::new();
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    (home, serving)
}

#[test]
fn man_with_a_command_name_points_to_help() {
    let home = Home::new();
    for (name, command) in [("upload", "upload"), ("token-create", "token create")] {
        home.run(&["man", name]).expect_failure(2, &format!("`sgsend help {command}`"));
        assert!(!home.path().join(name).exists());
    }
    home.run(&["man", "pages/man1"]).text();
    assert!(home.path().join("pages/man1/sgsend-upload.1").exists());
}

#[test]
fn invalid_payload_files_are_reported_as_such() {
    let home = Home::new();
    let key = home.file("key", format!("v1.{}", "A".repeat(43)).as_bytes());
    let (short, some, much) = (b"# Read me\n".to_vec(), vec![b'#'; 5_000], vec![b'#'; 2_000_000]);
    for (content, words) in [
        (short, "file is too short"),
        (some, "not a sealed payload"),
        (much, "not a sealed payload"),
        (vec![], "file is empty"),
    ] {
        let file = home.file("file", &content);
        let finished = home.run(&["open", &file, "--key-file", &key]);
        finished.expect_failure(6, words);
        assert!(!finished.stderr.contains("the data written so far is authentic"), "{}", finished.stderr);
    }
    let finished = home.run(&["open", "file"]);
    finished.expect_failure(2, "the key is missing");
    assert!(!finished.stderr.contains("link"), "{}", finished.stderr);
}

#[test]
fn arguments_that_are_neither_link_nor_id_are_reported() {
    let (home, serving) = logged_in();
    let id = format!("{}#v1.{}", "0".repeat(32), "A".repeat(43));
    for arguments in [["status", "foo"].as_slice(), &["delete", "0"], &["audit", "show", "nope"], &["download", &id]] {
        home.run_at(&serving, arguments)
            .expect_failure(2, "neither a link nor the id of a transfer, which has 32 hex digits");
    }
}

#[test]
fn hints_fit_what_went_wrong() {
    let (home, serving) = logged_in();
    let (file, empty) = (home.file("a.txt", b"hello"), home.file("empty", b""));
    for (arguments, exit) in [
        (&["upload", &file, "--passphrase-file", &empty][..], 2),
        (&["upload", &file, "--token", "sgs_short"], 2),
        (&["download", ""], 2),
        (&["upload", &file, "--exclude", "a["], 2),
        (&["token", "create", ""], 2),
        (&["token", "create", "a\u{7}b"], 2),
    ] {
        let finished = home.run_at(&serving, arguments);
        finished.expect_failure(exit, "");
        assert!(!finished.stderr.contains(FALLBACK), "{arguments:?}: {}", finished.stderr);
    }
    let missing = home.run_at(&serving, &["upload", "nosuch"]);
    missing.expect_failure(9, "nosuch cannot be read");
    assert!(!missing.stderr.contains("disk"), "{}", missing.stderr);
    let mut terminal = Terminal::start(&home, &["upload", &file, "-p", "--server", &serving.public], &[]);
    terminal.wait_for("Passphrase:");
    terminal.type_secret("one\r");
    terminal.wait_for("Repeat passphrase:");
    terminal.type_secret("two\r");
    let (_, shown) = terminal.end();
    assert!(shown.contains("enter the same passphrase twice"), "{shown}");
}

#[test]
fn a_deleted_current_directory_is_reported() {
    let (home, _serving) = logged_in();
    fs::create_dir(home.path().join("gone")).unwrap();
    let gone = home.path().join("gone");
    let script = "cd \"$1\" && rmdir \"$1\" && exec \"$2\" upload x";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh"]).arg(gone).arg(env!("CARGO_BIN_EXE_sgsend"));
    command.env_clear().env("HOME", home.path());
    FinishedCommand::of(command.output().unwrap()).expect_failure(9, "the current directory no longer exists");
}

#[test]
fn errors_contain_no_library_texts() {
    let home = Home::new();
    let file = home.file("no.pem", b"nothing of the kind");
    let serve = ["serve", "public", "--listen", "127.0.0.1:0", "--storage", "file:store"];
    for (arguments, words) in [
        (&["upload", "x", "--downloads", "x"][..], "a whole number"),
        (&["token", "create", "x", "--max-transfers", "0"], "1 or more"),
        (&["serve", "all", "--max-size", "5XB"], "500mib"),
        (&["serve", "all", "--max-size", ""], "500mib"),
        (&["serve", "public", "--listen", "8080"], "127.0.0.1:8080"),
        (&[&serve[..], &["--tls-cert", &file, "--tls-key", &file]].concat(), "no pem"),
    ] {
        let finished = home.run(arguments);
        assert!(finished.exit == 1 || finished.exit == 2, "{}", finished.stderr);
        let printed = finished.stderr.to_lowercase();
        assert!(printed.contains(words), "{arguments:?}: {printed}");
        for theirs in
            ["digit found", "18446744073709551615", "no items found", "socket address", "invalid suffix", "parse"]
        {
            assert!(!printed.contains(theirs), "{arguments:?}: {printed}");
        }
    }
}

#[test]
fn an_exceeded_quota_is_reported_with_the_remainder() {
    let (home, serving) = logged_in();
    let file = home.file("large.bin", &vec![7; 3 << 20]);
    let limited = |more: &[&str]| home.run_at(&serving, &[&["token", "create", "x"], more].concat()).text();
    let small = limited(&["--max-total-bytes", "2MiB"]);
    let finished = home.run_at(&serving, &["upload", &file, "--token", &small]);
    finished.expect_failure(7, "large.bin needs 3.1 mib encrypted, but the sender token has 2.0 mib of 2.0 mib left");
    let once = limited(&["--max-transfers", "1"]);
    home.run_at(&serving, &["upload", &file, "--token", &once]).text();
    home.run_at(&serving, &["upload", &file, "--token", &once])
        .expect_failure(7, "has reached its limit of 1 transfer");
}

#[test]
fn a_name_changed_for_recipients_causes_a_warning() {
    let (home, serving) = logged_in();
    let file = home.file("a.txt", b"hello");
    let printed = |finished: FinishedCommand| {
        finished.text();
        finished.stderr
    };
    assert!(!printed(home.run_at(&serving, &["upload", &file])).contains("recipients see the name"));
    let named = printed(home.run_at(&serving, &["upload", &file, "--name", "../../x"]));
    assert!(named.contains("warning: recipients see the name x"), "{named}");
    home.file("line\nfeed", b"hello");
    let named = printed(home.run_at(&serving, &["upload", "line\nfeed"]));
    assert!(named.contains("warning: recipients see the name linefeed"), "{named}");
    let latin = home.path().join(OsStr::from_bytes(b"latin-\xe9"));
    fs::write(&latin, "hello").unwrap();
    let output = home.sgsend(&["--server", &serving.public, "upload"]).arg(&latin).output().unwrap();
    let named = printed(FinishedCommand::of(output));
    assert!(named.contains("warning: recipients see the name latin-"), "{named}");
}

#[test]
fn a_completely_excluded_tree_is_not_sent() {
    let (home, serving) = logged_in();
    fs::create_dir(home.path().join("d")).unwrap();
    home.run_at(&serving, &["upload", "d", "--exclude", "*"]).text();
    home.file("d/f", b"x");
    home.run_at(&serving, &["upload", "d", "--exclude", "*"]).expect_failure(2, "nothing is left");
}

#[test]
fn long_names_are_shortened_on_terminals_only() {
    let (home, serving) = logged_in();
    let file = home.file("a.txt", b"hello");
    let name = "n".repeat(100);
    home.run_at(&serving, &["upload", &file, "--name", &name]).text();
    assert!(home.run(&["history"]).text().contains(&name));
    let (_, shown) = Terminal::start(&home, &["history"], &[]).end();
    assert!(shown.contains(&format!("{}…", "n".repeat(39))) && !shown.contains(&name), "{shown}");
    assert!(shown.contains("NAME"), "{shown}");
    let environment = [("SGSEND_ADMIN_SERVER", serving.admin.as_str())];
    let (_, shown) = Terminal::start(&home, &["token", "list"], &environment).end();
    assert!(shown.contains("USAGE"), "{shown}");
}
