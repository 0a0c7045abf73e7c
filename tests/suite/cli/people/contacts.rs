//! `sgsend key` and `sgsend contact`.

use std::os::unix::fs::PermissionsExt;

use super::{SshKey, new_key};
use crate::support::{Home, Terminal};

#[test]
fn a_key_pair_is_made_once_and_shown() {
    let home = Home::new();
    home.run(&["key", "show"]).expect_failure(3, "no private key");
    let public = new_key(&home);
    assert_eq!(home.run(&["key", "show"]).text(), public);
    let shown = home.run(&["key", "show", "--json"]).json();
    assert_eq!(shown["public_keys"], serde_json::json!([public]));
    let file = shown["file"].as_str().unwrap();
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(&format!("# public key: {public}\nAGE-SECRET-KEY-1")), "the format is not that of age");
    home.run(&["key", "new"]).expect_failure(9, "already");
    home.run(&["key", "import", file]).expect_failure(9, "already");

    let other = Home::new();
    assert_eq!(other.run(&["key", "import", file]).text(), public);
    let third = Home::new();
    let key = SshKey::new(&third, 1);
    third.run(&["key", "import", &key.public]).expect_failure(2, "public key");
    let imported = third.run(&["key", "import", &key.private]).text();
    assert_eq!(imported, key.text.rsplit_once(' ').unwrap().0);
}

#[test]
fn a_passphrase_protects_the_private_key() {
    let home = Home::new();
    home.run(&["key", "new", "--passphrase", "--no-input"]).expect_failure(2, "terminal");
    let mut terminal = Terminal::start(&home, &["key", "new", "--passphrase"], &[]);
    terminal.wait_for("New passphrase");
    terminal.type_secret("a passphrase of ada\r");
    terminal.wait_for("The same again");
    terminal.type_secret("a passphrase of ada\r");
    terminal.wait_for("age1");
    let (status, seen) = terminal.end();
    assert_eq!(status, 0, "{seen}");
    home.run(&["key", "show", "--no-input"]).expect_failure(6, "passphrase");
    let mut terminal = Terminal::start(&home, &["key", "show"], &[]);
    terminal.wait_for("Passphrase of");
    terminal.type_secret("another passphrase\r");
    terminal.wait_for("is wrong");
    assert_eq!(terminal.end().0, 6);
}

#[test]
fn contacts_name_the_keys_of_people() {
    let (home, other) = (Home::new(), Home::new());
    let (public, key) = (new_key(&other), SshKey::new(&home, 2));
    let list = home.file("team.keys", format!("# team\n{public}\nssh-rsa AAAA\n{}\n", key.text).as_bytes());
    let canonical = key.text.rsplit_once(' ').unwrap().0;
    let added = home.run(&["contact", "add", "ada", &list]).text();
    assert_eq!(added, format!("ada\t{public}\nada\t{canonical}"));
    home.run(&["contact", "add", "ada", &public]).expect_failure(9, "already");
    home.run(&["contact", "add", "ada", &public, "--replace"]).text();
    home.run(&["contact", "add", "bob", &key.text]).text();
    let listed = home.run(&["contact", "list", "--json"]).json();
    let expected = serde_json::json!([{ "name": "ada", "keys": [public] }, { "name": "bob", "keys": [canonical] }]);
    assert_eq!(listed["items"], expected);
    home.run(&["contact", "remove", "ada"]).text();
    home.run(&["contact", "remove", "ada"]).expect_failure(3, "no contact");
    for (name, key, words) in [
        ("-x", &*public, ""),
        ("a b", &public, "letters"),
        ("carol", "carol", "not a public key"),
        ("carol", "ssh-rsa AAAA", "not supported"),
        ("carol", "AGE-SECRET-KEY-1X", "secret key"),
        ("carol", "http://keys.example/carol.keys", "plain http"),
    ] {
        let refused = home.run(&["contact", "add", name, key]);
        assert!(refused.exit == 2 || refused.exit == 5 || refused.exit == 8, "{}", refused.stderr);
        assert!(refused.stderr.to_lowercase().contains(words), "{}", refused.stderr);
    }
}
