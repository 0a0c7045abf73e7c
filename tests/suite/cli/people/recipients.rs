//! Transfers for recipients with keys of their own.

use std::fs;

use super::{SshKey, new_key};
use crate::support::Home;

#[test]
fn a_transfer_opens_with_the_private_key_of_a_recipient_only() {
    let (sender, ada, bob, carol) = (Home::new(), Home::new(), Home::new(), Home::new());
    let serving = sender.serve_any(&[]);
    sender.log_in(&serving);
    let (ada_key, bob_key) = (new_key(&ada), SshKey::new(&bob, 3));
    sender.run(&["contact", "add", "bob", &bob_key.text]).text();
    let file = sender.file("report.txt", b"for ada and bob");
    let arguments = ["upload", &file, "--to", &ada_key, "--to", "bob", "-d", "2", "--message", "hello"];
    let uploaded = sender.run_at(&serving, &arguments);
    let link = uploaded.text();
    assert!(link.contains("#to."), "{link}");
    assert!(uploaded.stderr.contains("can be recognised by the server"), "{}", uploaded.stderr);

    let output = |home: &Home| home.path().join("received.txt").to_str().unwrap().to_owned();
    carol.run(&["download", &link]).expect_failure(6, "no private key");
    new_key(&carol);
    let refused = carol.run(&["download", &link]);
    refused.expect_failure(6, "not for any private key");
    assert!(refused.stderr.contains("3 age, 1 ssh-ed25519"), "{}", refused.stderr);
    assert_eq!(ada.run(&["status", &link, "--json"]).json()["content"]["filename"], "report.txt");
    assert_eq!(ada.run(&["status", &link, "--json"]).json()["download_count"], 0);
    ada.run(&["download", &link, "-o", &output(&ada)]).text();
    bob.run(&["download", &link, "-o", &output(&bob), "-i", &bob_key.private]).text();
    for home in [&ada, &bob] {
        assert_eq!(fs::read(output(home)).unwrap(), b"for ada and bob");
    }
    // Recipients share the limit, and others have used none of it.
    ada.run(&["download", &link, "-o", &output(&ada), "--overwrite"]).expect_failure(4, "limit");
    assert_eq!(
        fs::read_dir(carol.path())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                !name.to_string_lossy().starts_with('.')
            })
            .count(),
        0
    );
}

#[test]
fn recipients_exclude_other_secrets_and_name_somebody() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let (file, key) = (home.file("a", b"a"), new_key(&home));
    for extra in [&["--link", "Ada"][..], &["-p"], &["--passphrase-file", &file], &["--separate-key"]] {
        let refused = home.run_at(&serving, &[&["upload", &file, "--to", &key], extra].concat());
        assert_eq!(refused.exit, 2, "{}", refused.stderr);
    }
    for (value, words) in
        [("nobody", "neither"), ("ssh-rsa AAAA", "not supported"), ("AGE-SECRET-KEY-1QQ", "secret key")]
    {
        home.run_at(&serving, &["upload", &file, "--to", value]).expect_failure(2, words);
    }
    let link = home.run_at(&serving, &["upload", &file]).text();
    home.run(&["download", &link, "-i", &file]).expect_failure(2, "contains its key");
    let link = home.run_at(&serving, &["upload", &file, "--to", &key]).text();
    home.run(&["download", &link, "-i", &file]).expect_failure(2, "not an identity");
    home.run(&["download", &link, "-i", "missing"]).expect_failure(9, "cannot be read");
    home.run(&["download", &link, "--passphrase-file", &file]).expect_failure(2, "no passphrase");
}

#[test]
fn a_saved_payload_opens_with_its_saved_keys() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let (file, key) = (home.file("a.txt", b"content"), new_key(&home));
    let link = home.run_at(&serving, &["upload", &file, "--to", &key]).text();
    let (address, fragment) = link.split_once('#').unwrap();
    let id = address.rsplit('/').next().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (keys, payload) = runtime.block_on(async {
        let get = |path: &str| reqwest::get(format!("{}/transfers/id/{id}/{path}", serving.public));
        let keys = get("keys").await.unwrap().bytes().await.unwrap();
        // Without the proof of a recipient, nobody gets the payload.
        let refused = get("payload/download-bytes").await.unwrap();
        (keys, refused.status().as_u16())
    });
    assert!(keys.starts_with(b"age-encryption.org/v1\n") && payload == 401);
    let keys = home.file("keys.age", &keys);
    let sealed = home.file("empty.sealed", b"no payload");
    let other = format!("to.{}", "A".repeat(43));
    let open = |extra: &[&str]| home.run(&[&["open", &sealed, "--keys", &keys], extra].concat());
    // The key is unwrapped, and is that of the link; the payload is none.
    open(&["--key", fragment]).expect_failure(6, "");
    open(&["--key", &other]).expect_failure(6, "another transfer");
    home.run(&["open", &sealed, "--key", fragment]).expect_failure(2, "opens nothing by itself");
    home.run(&["open", &sealed, "--keys", &sealed]).expect_failure(6, "age file");
}
