//! Transfers that their sender has signed.

use std::fs;
use std::process::Command;

use super::{SshKey, new_key};
use crate::support::{Home, not_run};

#[test]
fn a_signature_is_verified_and_its_key_remembered() {
    let (sender, recipient) = (Home::new(), Home::new());
    let serving = sender.serve_any(&[]);
    sender.log_in(&serving);
    let (key, other) = (SshKey::new(&sender, 4), SshKey::new(&sender, 5));
    let file = sender.file("report.txt", &vec![7; 3_000_000]);
    let sign = format!("--sign={}", key.private);
    let link = sender.run_at(&serving, &["upload", &file, &sign, "-d", "9"]).text();
    let first = recipient.run(&["download", &link, "--require-signature"]);
    first.text();
    assert!(first.stderr.contains(&key.fingerprint) && first.stderr.contains("first time"), "{}", first.stderr);
    assert_eq!(fs::read(recipient.path().join("report.txt")).unwrap(), vec![7; 3_000_000]);
    recipient.run(&["contact", "add", "ada", &key.text]).text();
    recipient.run(&["contact", "add", "bob", &other.text]).text();
    let named = recipient.run(&["download", &link, "--overwrite", "--require-signature=ada"]);
    named.text();
    assert!(
        named.stderr.contains("signed by ada (SHA256:") && named.stderr.contains("known since"),
        "{}",
        named.stderr
    );
    let json = recipient.run(&["download", &link, "--overwrite", "--json"]).json();
    assert_eq!(json["signed_by"]["fingerprint"], key.fingerprint);
    assert_eq!((&json["signed_by"]["contact"], &json["signed_by"]["for_anyone"]), (&"ada".into(), &true.into()));

    let count = || recipient.run(&["status", &link, "--json"]).json()["download_count"].clone();
    let before = count();
    recipient.run(&["download", &link, "--require-signature=bob", "--overwrite"]).expect_failure(6, "another key");
    recipient.run(&["download", &link, "--require-signature=carol"]).expect_failure(2, "no contact");
    recipient.run(&["download", &link, "--require-signature", "-o", "-"]).expect_failure(2, "stdout");
    assert_eq!(count(), before, "a download was counted");
    let listed = recipient.run(&["download", &link, "--list"]);
    assert!(listed.text().contains("report.txt") && listed.stderr.contains("signature not checked"));
    let streamed = recipient.run(&["download", &link, "-o", "-"]);
    assert!(streamed.stdout == vec![7; 3_000_000] && streamed.stderr.contains("signature not checked"));
}

#[test]
fn an_unsigned_transfer_is_refused_where_a_signature_is_required() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"a");
    let link = home.run_at(&serving, &["upload", &file]).text();
    let target = home.path().join("out").to_str().unwrap().to_owned();
    home.run(&["download", &link, "--require-signature", "-o", &target]).expect_failure(6, "not signed");
    assert!(!home.path().join("out").exists());
    assert_eq!(home.run(&["status", &link, "--json"]).json()["download_count"], 0);
    // Only Ed25519 keys sign.
    let sign = |value: &str| home.run_at(&serving, &["upload", &file, &format!("--sign={value}")]);
    sign(&file).expect_failure(2, "ssh-ed25519");
    sign("missing").expect_failure(9, "cannot be read");
    sign(&SshKey::new(&home, 6).public).expect_failure(2, "no agent");
}

#[test]
fn a_signed_transfer_for_recipients_names_them() {
    let (sender, recipient) = (Home::new(), Home::new());
    let serving = sender.serve_any(&[]);
    sender.log_in(&serving);
    let (key, public) = (SshKey::new(&sender, 7), new_key(&recipient));
    let file = sender.file("a.txt", b"for you");
    let sign = format!("--sign={}", key.private);
    let link = sender.run_at(&serving, &["upload", &file, "--to", &public, &sign]).text();
    let received = recipient.run(&["download", &link]);
    received.text();
    assert!(received.stderr.contains("for you"), "{}", received.stderr);
    let json = recipient.run(&["download", &link, "--rename", "--json"]).json();
    assert_eq!(json["signed_by"]["for_anyone"], false);
}

#[test]
fn an_agent_signs() {
    let home = Home::new();
    let Ok(agent) = Command::new("ssh-agent").args(["-s", "-a"]).arg(home.path().join("agent")).output() else {
        return not_run("ssh-agent is not installed");
    };
    let text = String::from_utf8(agent.stdout).unwrap();
    let pid = text.split("SSH_AGENT_PID=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let socket = home.path().join("agent");
    let key = SshKey::new(&home, 8);
    std::os::unix::fs::PermissionsExt::set_mode(&mut fs::metadata(&key.private).unwrap().permissions(), 0o600);
    fs::set_permissions(&key.private, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let added = Command::new("ssh-add").arg(&key.private).env("SSH_AUTH_SOCK", &socket).output().unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"by an agent");
    for sign in ["--sign".to_owned(), format!("--sign={}", key.public)] {
        let mut upload = home.sgsend(&["upload", &file, &sign, "--server", &serving.public]);
        let sent = upload.env("SSH_AUTH_SOCK", &socket).output().unwrap();
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        let link = String::from_utf8(sent.stdout).unwrap();
        let received = home.run(&["download", link.trim(), "--rename", "--require-signature"]);
        assert!(received.exit == 0 && received.stderr.contains(&key.fingerprint), "{}", received.stderr);
    }
    let unknown = SshKey::new(&home, 9);
    let mut upload =
        home.sgsend(&["upload", &file, &format!("--sign={}", unknown.public), "--server", &serving.public]);
    let refused = upload.env("SSH_AUTH_SOCK", &socket).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("does not have the key"));
    Command::new("kill").arg(pid).status().unwrap();
}
