//! Contacts whose key is another one than before.

use super::SshKey;
use crate::support::Home;

#[test]
fn another_key_of_a_contact_is_refused_with_both_fingerprints() {
    let home = Home::new();
    let (old, new) = (SshKey::new(&home, 31), SshKey::new(&home, 32));
    home.run(&["contact", "add", "ada", &old.text]).text();
    // The same key again changes nothing, as for a list that a script imports every day.
    home.run(&["contact", "add", "ada", &old.public]).text();
    let refused = home.run(&["contact", "add", "ada", &new.public]);
    refused.expect_failure(9, "the key of ada is not the same");
    assert!(refused.stderr.contains(&old.fingerprint) && refused.stderr.contains(&new.fingerprint));
    assert!(refused.stderr.contains("pretend to be ada"), "{}", refused.stderr);
    assert_eq!(home.run(&["contact", "list"]).text(), format!("ada\t{}", old.text.rsplit_once(' ').unwrap().0));
    let json = home.run(&["contact", "add", "ada", &new.public, "--json"]);
    assert!(json.stdout.is_empty() || String::from_utf8_lossy(&json.stdout).contains("contact_key_changed"));
    let replaced = home.run(&["contact", "add", "ada", &new.text, "--replace"]);
    assert!(replaced.exit == 0 && replaced.stderr.contains("warning"), "{}", replaced.stderr);
    assert!(replaced.stderr.contains(&old.fingerprint) && replaced.stderr.contains(&new.fingerprint));
}

#[test]
fn a_signature_with_a_changed_key_is_told_apart_loudly() {
    let (sender, recipient) = (Home::new(), Home::new());
    let serving = sender.serve_any(&[]);
    sender.log_in(&serving);
    let (old, new) = (SshKey::new(&sender, 33), SshKey::new(&sender, 34));
    let file = sender.file("a.txt", b"a");
    let upload = |key: &SshKey| sender.run_at(&serving, &["upload", &file, &format!("--sign={}", key.private)]).text();
    let (by_old, by_new) = (upload(&old), upload(&new));
    let download = |link: &str, extra: &[&str]| recipient.run(&[&["download", link, "--overwrite"], extra].concat());
    recipient.run(&["contact", "add", "ada", &old.text]).text();
    assert!(!download(&by_old, &[]).stderr.contains("warning"));

    // Somebody else signs as ada: her contact has another key.
    let refused = download(&by_new, &["--require-signature=ada"]);
    refused.expect_failure(6, "another key");
    assert!(refused.stderr.contains(&new.fingerprint) && refused.stderr.contains("pretend"), "{}", refused.stderr);
    assert!(download(&by_new, &[]).stderr.contains("a key without a contact"));

    let renewed = SshKey::new(&sender, 35);
    recipient.run(&["contact", "add", "ada", &renewed.text, "--replace"]).text();
    let by_renewed = upload(&renewed);
    let first = download(&by_renewed, &["--require-signature=ada"]);
    assert!(first.exit == 0 && first.stderr.contains("the key of ada HAS CHANGED"), "{}", first.stderr);
    assert!(first.stderr.contains(&old.fingerprint), "{}", first.stderr);
    // Once it is known, the new key is an ordinary one.
    assert!(!download(&by_renewed, &[]).stderr.contains("HAS CHANGED"));
    let former = download(&by_old, &["--json"]);
    assert!(former.stderr.contains("claims to be signed by a FORMER key of ada"), "{}", former.stderr);
    assert!(former.stderr.contains("no longer uses the key"), "{}", former.stderr);
    let signed_by = &former.json()["signed_by"];
    assert!(signed_by["contact"].is_null() && signed_by["former_contact"] == "ada", "{signed_by}");
    download(&by_old, &["--require-signature=ada"]).expect_failure(6, "another key");
}
