//! One session over each kind of store: output and exit statuses are the same for every payload flow.

use std::fmt::Write;

use serde_json::Value;

use crate::support::{FinishedCommand, Home, Serving, any_storage};

/// Maximum content size of the services, so that a test can exceed it.
const MAX_SIZE: &str = "20MiB";

/// A user's session, with its transcript so far.
struct Conversation<S> {
    home: Home,
    serving: S,
    finished: String,
    /// Values that differ between runs, with their placeholders.
    changing: Vec<(String, String)>,
}

impl<S: Serving> Conversation<S> {
    fn with(home: Home, serving: S) -> Self {
        home.log_in(&serving);
        let changing = vec![
            (serving.public().to_owned(), "PUBLIC".to_owned()),
            (serving.public().trim_start_matches("http://").to_owned(), "ADDRESS".to_owned()),
            (home.path().to_str().unwrap().to_owned(), "HOME".to_owned()),
        ];
        Self { home, serving, finished: String::new(), changing }
    }

    /// Runs a command, and appends its output and exit status to the transcript.
    fn run(&mut self, arguments: &[&str]) -> FinishedCommand {
        let finished = self.home.run_at(&self.serving, arguments);
        let printed = match finished.stdout.len() {
            0..10_000 => String::from_utf8_lossy(&finished.stdout),
            length => format!("{length} bytes\n").into(),
        };
        let arguments = arguments.join(" ");
        write!(self.finished, "$ sgsend {arguments}\n{printed}{}= {}\n", finished.stderr, finished.exit).unwrap();
        finished
    }

    /// Uploads, and registers the values that differ between runs.
    fn upload(&mut self, name: &str, arguments: &[&str]) -> String {
        let link = self.run(&[&["upload"], arguments].concat()).text();
        let (id, key) = link.split_once("/d/").unwrap().1.split_once('#').unwrap();
        self.changing.push((key.to_owned(), format!("{name}-KEY")));
        self.changing.push((id.to_owned(), format!("{name}-ID")));
        self.changing.push((id[..8].to_owned(), format!("{name}-ID8")));
        link
    }

    /// Returns the transcript with placeholders for values that differ between runs.
    fn transcript(self) -> String {
        let mut finished = self.finished;
        for (from, to) in &self.changing {
            finished = finished.replace(from, to);
        }
        let now = |line: &str| ["created ", "ready ", "expires "].iter().any(|word| line.starts_with(word));
        let plain = |line: &str| if now(line) { "WHEN".to_owned() } else { line.to_owned() };
        finished.lines().map(plain).collect::<Vec<_>>().join("\n")
    }
}

/// Returns the shape of a JSON object, without the members that may differ between stores.
fn shape(mut object: Value) -> String {
    for (of, member) in [("", "mode"), ("transparency", "seen_by_others")] {
        let of = if of.is_empty() { Some(&mut object) } else { object.get_mut(of) };
        if let Some(found) = of.and_then(|of| of.get_mut(member)) {
            found.take();
        }
    }
    for member in ["transfer_id", "link", "key", "expires_at"] {
        assert!(object.get_mut(member).is_none_or(|member| !member.take().is_null()));
    }
    object.to_string()
}

fn conversation_over(storage: &str) -> String {
    let home = Home::new();
    let serving = home.serve(&["--storage", storage, "--max-size", MAX_SIZE]);
    conversation(Conversation::with(home, serving))
}

fn conversation<S: Serving>(mut world: Conversation<S>) -> String {
    let small = world.home.file("small.txt", b"hello world");
    let parts: Vec<u8> = (0..17_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let large = world.home.file("large.bin", &parts);
    let empty = world.home.file("empty", b"");
    world.home.file("words", b"correct horse battery staple");

    let link = world.upload("SMALL", &[&small, "-d", "2"]);
    world.run(&["download", &link, "-o", "one.txt"]);
    world.run(&["download", &link, "-o", "one.txt"]);
    world.run(&["status", &link]);
    world.run(&["download", &link, "-o", "two.txt"]);
    world.run(&["download", &link, "-o", "three.txt"]);
    world.run(&["status", &link]);
    assert_eq!(std::fs::read(world.home.path().join("two.txt")).unwrap(), b"hello world");

    let link = world.upload("LARGE", &[&large, "--name", "renamed.bin"]);
    let downloaded = world.run(&["download", &link, "-o", "-"]);
    assert!(downloaded.stdout == parts);
    let (whole, key) = link.split_at(link.len() - 5);
    let wrong = if key == "AAAAA" { "BBBBA" } else { "AAAAA" };
    world.changing.insert(0, (format!("{whole}{wrong}"), "WRONG".to_owned()));
    world.run(&["download", &format!("{whole}{wrong}"), "-o", "wrong"]);
    world.run(&["delete", &link]);
    world.run(&["download", &link]);
    world.run(&["delete", &link]);

    let link = world.upload("EMPTY", &[&empty, "--passphrase-file", "words", "--expires", "2h"]);
    world.run(&["download", &link, "-o", "empty.2", "--passphrase-file", "words"]);
    world.home.file("words", b"another passphrase");
    world.run(&["download", &link, "-o", "empty.3", "--passphrase-file", "words"]);

    world.home.file("too large", &vec![0; (20 << 20) + 1]);
    world.run(&["upload", "too large"]);
    world.run(&["upload", &small, "--expires", "10s"]);
    world.run(&["status", &"0".repeat(32)]);
    world.run(&["download", &format!("{}/d/{}#v1.{}", world.serving.public(), "0".repeat(32), "A".repeat(43))]);
    let uploaded = world.home.run_at(&world.serving, &["upload", &small, "--json"]).json();
    let link = uploaded["link"].as_str().unwrap().to_owned();
    let downloaded = world.home.run_at(&world.serving, &["download", &link, "-o", "last.txt", "--json"]).json();
    format!("{}\n{}\n{}", world.transcript(), shape(uploaded), shape(downloaded).replace("HOME", ""))
}

fn conversation_on_disk() -> String {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = conversation_over(&format!("file:{}", folder.path().join("store").display()));
    assert!(on_disk.lines().count() > 60, "{on_disk}");
    on_disk
}

fn assert_equal(on_disk: &str, other: &str) {
    for (number, (one, other)) in on_disk.lines().zip(other.lines()).enumerate() {
        assert_eq!(one, other, "line {number} of\n{on_disk}");
    }
    assert_eq!(on_disk.lines().count(), other.lines().count());
}

#[test]
fn every_store_yields_the_same_transcript() {
    assert_equal(&conversation_on_disk(), &conversation_over(&any_storage()));
}

#[cfg(feature = "lambda")]
#[test]
#[ignore = "needs an S3 server: tests/s3.sh"]
fn lambda_functions_yield_the_same_transcript() {
    let home = Home::new();
    let functions =
        crate::support::lambda::LambdaPair::over(home.path(), &any_storage(), 1, &[("SGSEND_MAX_SIZE", MAX_SIZE)]);
    assert_equal(&conversation_on_disk(), &conversation(Conversation::with(home, functions)));
}
