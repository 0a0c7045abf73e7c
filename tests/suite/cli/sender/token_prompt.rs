//! A sender's first upload: the command asks for the missing token of the server.

use std::fs;

use crate::support::{FinishedCommand, Home, ServerProcess, Terminal};

/// A server, a sender token, and a home without a configuration.
struct Fixture {
    serving: ServerProcess,
    token: String,
    home: Home,
    file: String,
    admin: Home,
}

impl Fixture {
    fn new() -> Self {
        let admin = Home::new();
        let serving = admin.serve(&["--storage", "memory:"]);
        let token = admin.run_at(&serving, &["token", "create", "x"]).text();
        let home = Home::new();
        let file = home.file("a.txt", b"hello");
        Self { serving, token, home, file, admin }
    }

    /// Starts an upload on a terminal, and waits for the question.
    fn upload(&self, arguments: &[&str]) -> Terminal {
        let command = [&["upload", &self.file, "-s", &self.serving.public], arguments].concat();
        let mut terminal = Terminal::start(&self.home, &command, &[]);
        terminal.wait_for(&format!("Sender token for {}:", self.serving.public));
        terminal
    }

    fn config(&self) -> Option<String> {
        fs::read_to_string(self.home.path().join(".config/sgsend/config.toml")).ok()
    }

    fn upload_without_a_terminal(&self) -> FinishedCommand {
        self.home.run(&["upload", &self.file])
    }
}

#[test]
fn a_first_upload_asks_for_the_token_and_saves_it() {
    let fixture = Fixture::new();
    let mut terminal = fixture.upload(&[]);
    terminal.type_secret(&format!("{}\r", fixture.token));
    terminal.wait_for("for the next uploads? [Y/n]");
    terminal.type_in("\r");
    let (exit, shown) = terminal.end();
    assert_eq!(exit, 0, "{shown}");
    assert!(shown.contains("/d/") && !shown.contains(&fixture.token), "{shown}");
    assert!(fixture.config().unwrap().contains(&fixture.token));
    // The saved server and token serve the next upload.
    assert!(fixture.upload_without_a_terminal().text().starts_with(&fixture.serving.public));
}

#[test]
fn a_token_can_be_used_once() {
    let fixture = Fixture::new();
    for answer in ["n\r", "no\r", "\u{4}"] {
        let mut terminal = fixture.upload(&[]);
        terminal.type_secret(&format!("{}\r", fixture.token));
        terminal.wait_for("for the next uploads? [Y/n]");
        terminal.type_in(answer);
        let (exit, shown) = terminal.end();
        assert_eq!(exit, 0, "{answer:?}: {shown}");
        assert_eq!(fixture.config(), None, "{answer:?}");
    }
    // A profile with another server is not changed.
    let other = fixture.home.file("other.toml", b"[profiles.default]\nserver = \"http://127.0.0.1:9\"\n");
    let mut terminal = fixture.upload(&["--config", &other]);
    terminal.type_secret(&format!("{}\r", fixture.token));
    let (exit, shown) = terminal.end();
    assert_eq!(exit, 0, "{shown}");
    assert!(!shown.contains("Save the token"), "{shown}");
}

#[test]
fn a_wrong_or_missing_token_is_not_saved() {
    let fixture = Fixture::new();
    let unknown = format!("sgs_{}_{}", "0".repeat(16), "0".repeat(64));
    for (typed, exit, words) in [
        (format!("{unknown}\r"), 5, "token"),
        ("sgs_short\r".to_owned(), 2, "copy the complete token"),
        ("\r".to_owned(), 5, "no sender token for"),
        ("\u{4}".to_owned(), 5, "no sender token for"),
        ("\u{3}".to_owned(), 130, "interrupted"),
    ] {
        let mut terminal = fixture.upload(&[]);
        terminal.type_secret(&typed);
        let (ended, shown) = terminal.end();
        assert_eq!(ended, exit, "{typed:?}: {shown}");
        assert!(shown.contains(words), "{typed:?}: {shown}");
        assert_eq!(fixture.config(), None, "{typed:?}");
    }
    let stats = fixture.admin.run_at(&fixture.serving, &["stats", "--json"]).json();
    assert_eq!(stats["transfers"]["pending"], 0);
}

#[test]
fn scripts_are_not_asked_for_a_token() {
    let fixture = Fixture::new();
    let arguments = ["upload", &fixture.file, "-s", &fixture.serving.public];
    fixture.home.run(&arguments).expect_failure(5, "no sender token for");
    let terminal = Terminal::start(&fixture.home, &[&arguments[..], &["--no-input"]].concat(), &[]);
    let (exit, shown) = terminal.end();
    assert_eq!(exit, 5, "{shown}");
    assert!(shown.contains("no sender token for"), "{shown}");
}
