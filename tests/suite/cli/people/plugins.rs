//! Keys of age's plugins, with a stub of one.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use bech32::{Bech32, Hrp, encode};

use super::{SshKey, new_key};
use crate::support::{FinishedCommand, Home, Terminal};

const STUB: &str = include_str!("age-plugin-stub.sh");

/// Home directory with a stub plugin, and a key of it.
struct Stub {
    home: Home,
    path: String,
    public: String,
    identity: String,
}

impl Stub {
    fn new() -> Self {
        let home = Home::new();
        let folder = home.path().join("bin");
        fs::create_dir(&folder).unwrap();
        let program = folder.join("age-plugin-stub");
        fs::write(&program, STUB).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let text = |hrp: &str| encode::<Bech32>(Hrp::parse(hrp).unwrap(), b"stub").unwrap();
        let public = text("age1stub");
        let secret = text("age-plugin-stub-").to_uppercase();
        let identity = home.file("stub.txt", format!("# Serial: 1\n#    Recipient: {public}\n{secret}\n").as_bytes());
        Self { path: format!("{}:/usr/bin:/bin", folder.display()), home, public, identity }
    }

    fn run(&self, arguments: &[&str]) -> FinishedCommand {
        FinishedCommand::of(self.home.sgsend(arguments).env("PATH", &self.path).output().unwrap())
    }
}

#[test]
fn a_plugin_wraps_and_unwraps_beside_other_keys() {
    let (stub, ada, stranger) = (Stub::new(), Home::new(), Home::new());
    let serving = stub.home.serve_any(&[]);
    stub.home.log_in(&serving);
    let (ada_key, signer) = (new_key(&ada), SshKey::new(&stub.home, 41));
    let file = stub.home.file("a.txt", b"for a plugin");
    stub.run(&["contact", "add", "me", &stub.public]).text();
    let sign = format!("--sign={}", signer.private);
    let sent = stub.run(&["--server", &serving.public, "upload", &file, "--to", "me", "--to", &ada_key, &sign]);
    let link = sent.text();
    assert!(sent.stderr.contains("can be recognised"), "{}", sent.stderr);
    let output = stub.home.path().join("out").to_str().unwrap().to_owned();
    let received = stub.run(&["download", &link, "-i", &stub.identity, "-o", &output, "--require-signature"]);
    received.text();
    assert!(received.stderr.contains("touch the stub") && received.stderr.contains("for you"), "{}", received.stderr);
    assert_eq!(fs::read(&output).unwrap(), b"for a plugin");
    ada.run(&["download", &link, "--require-signature"]).text();
    new_key(&stranger);
    let refused = stranger.run(&["download", &link]);
    refused.expect_failure(6, "not for any private key");
    assert!(refused.stderr.contains("3 age, 1 unknown"), "{}", refused.stderr);
    // A plugin does not open what was wrapped for others, and says nothing of it.
    let other = stub.run(&["--server", &serving.public, "upload", &file, "--to", &ada_key]).text();
    stub.run(&["download", &other, "-i", &stub.identity]).expect_failure(6, "not for any private key");
    assert_eq!(stub.run(&["key", "import", &stub.identity]).text(), stub.public);
    stub.run(&["download", &link, "--rename"]).text();
}

#[test]
fn a_plugin_asks_on_the_terminal() {
    let stub = Stub::new();
    let serving = stub.home.serve_any(&[]);
    stub.home.log_in(&serving);
    let file = stub.home.file("a.txt", b"for a plugin");
    let link = stub.run(&["--server", &serving.public, "upload", &file, "--to", &stub.public]).text();
    fs::write(stub.home.path().join("bin/pin"), "").unwrap();
    let environment = [("PATH", &*stub.path)];
    for (pin, status) in [("1234\r", 0), ("9999\r", 6)] {
        let arguments = ["download", &link, "-i", &stub.identity, "--rename"];
        let mut terminal = Terminal::start(&stub.home, &arguments, &environment);
        terminal.wait_for("touch the stub");
        terminal.wait_for("PIN of the stub:");
        terminal.type_secret(pin);
        let (ended, seen) = terminal.end();
        assert_eq!(ended, status, "{seen}");
        assert!(status == 0 || seen.contains("the PIN is wrong"), "{seen}");
    }
    let silent = stub.run(&["download", &link, "-i", &stub.identity, "--no-input", "-o", "other"]);
    silent.expect_failure(6, "the plugin failed");
}

#[test]
fn a_plugin_runs_only_for_keys_that_the_user_names() {
    let stub = Stub::new();
    let serving = stub.home.serve_any(&[]);
    stub.home.log_in(&serving);
    let file = stub.home.file("a.txt", b"for a plugin");
    let upload = ["--server", &serving.public, "upload", &file, "--to", &stub.public];
    stub.home.run(&upload).expect_failure(9, "age-plugin-stub is not in the path");
    let link = stub.run(&upload).text();
    let missing = stub.home.run(&["download", &link, "-i", &stub.identity]);
    missing.expect_failure(2, "age-plugin-stub is not in the path");
    let secret = fs::read_to_string(&stub.identity).unwrap().lines().last().unwrap().to_owned();
    let bare = stub.home.file("bare.txt", secret.as_bytes());
    stub.run(&["download", &link, "-i", &bare]).expect_failure(2, "needs its public key");
    let damaged = format!("{}q", &stub.public[..stub.public.len() - 1]);
    assert_eq!(stub.run(&["--server", &serving.public, "upload", &file, "--to", &damaged]).exit, 2);
    // A request needs a key that fits into its link.
    stub.run(&["request", "create", "--server", &serving.public, "-i", &stub.identity]).expect_failure(9, "no age key");
}
