//! Uploads with a link for each recipient, and downloads with these links.

use super::{id_of, link_for, links_of, named, started, upload};
use crate::support::Home;

#[test]
fn each_recipient_gets_a_link_with_limits_of_its_own() {
    let (home, serving) = started();
    let file = home.file("a.txt", b"hello");
    let options = ["--link", "Ada", "--link", "Zoë & 茜", "-d", "1", "-e", "2d", "--message", "hi"];
    let printed = home.run_at(&serving, &[&["upload", &file][..], &options].concat()).text();
    let lines: Vec<_> = printed.lines().map(|line| line.split_once('\t').unwrap()).collect();
    assert_eq!(lines.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["Ada", "Zoë & 茜"]);
    let recipient = Home::new();
    for (name, link) in &lines {
        assert!(link.contains("#v2."), "{link}");
        let status = recipient.run(&["status", link, "--json"]).json();
        assert_eq!(status["content"]["message"], "hi");
        assert_eq!((&status["max_downloads"], &status["download_count"]), (&1.into(), &0.into()), "{name}");
        assert!(status["wrapped_key"].is_null() && status["info"].is_null(), "{status}");
        let lifetime = status["expires_at"].as_u64().unwrap() - status["created_at"].as_u64().unwrap();
        assert_eq!(lifetime, 2 * 86_400_000);
    }
    let (ada, zoe) = (lines[0].1, lines[1].1);
    assert_ne!(id_of(ada), id_of(zoe));
    assert_eq!(recipient.run(&["download", ada, "-o", "-"]).text(), "hello");
    recipient.run(&["download", ada, "-o", "-"]).expect_failure(4, "limit");
    assert_eq!(recipient.run(&["download", zoe, "-o", "-"]).text(), "hello");
}

#[test]
fn nobody_can_use_the_own_link_of_a_transfer_with_recipients() {
    let (home, serving) = started();
    let uploaded = upload(&home, &serving, &["--link", "Ada", "--keep-key"]);
    assert!(uploaded["link"].is_null() && uploaded["key"].is_null(), "{uploaded}");
    let id = uploaded["transfer_id"].as_str().unwrap();
    let history = home.run(&["history", "--json"]).json();
    let key = history["items"][0]["key"].as_str().unwrap();
    assert!(key.starts_with("v1."), "{key}");
    let own = format!("{}/d/{id}#{key}", serving.public);
    home.run(&["download", &own, "-o", "-"]).expect_failure(4, "closed by its sender");
    let link = link_for(&uploaded, "Ada");
    assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "hello");
    // The history shows a line for each recipient.
    let shown = home.run(&["history"]).text();
    assert!(shown.contains("a.txt (Ada)") && shown.contains(&link) && !shown.contains(id), "{shown}");
}

#[test]
fn a_passphrase_holds_for_each_link() {
    let (home, serving) = started();
    let (right, wrong) = (home.file("right", b"secret words\n"), home.file("wrong", b"others"));
    let options = ["--link", "Ada", "--link", "Bob", "-d", "1", "--passphrase-file", &right];
    let uploaded = upload(&home, &serving, &options);
    let recipient = Home::new();
    for name in ["Ada", "Bob"] {
        let link = link_for(&uploaded, name);
        assert!(link.contains("#v2p."), "{link}");
        let download = |file: &str| recipient.run(&["download", &link, "-o", "-", "--passphrase-file", file]);
        download(&wrong).expect_failure(6, "passphrase");
        recipient.run(&["download", &link, "-o", "-"]).expect_failure(2, "a passphrase is required");
        assert_eq!(download(&right).text(), "hello", "a wrong passphrase was counted");
        let status = recipient.run(&["status", &link, "--json", "--passphrase-file", &right]).json();
        assert_eq!((&status["status"], &status["download_count"]), (&"exhausted".into(), &1.into()), "{status}");
    }
}

#[test]
fn a_key_opens_its_own_link_only() {
    let (home, serving) = started();
    let uploaded = upload(&home, &serving, &["--link", "Ada", "--link", "Bob", "-d", "1"]);
    let (ada, bob) = (link_for(&uploaded, "Ada"), link_for(&uploaded, "Bob"));
    let ((ada_page, ada_key), (bob_page, bob_key)) = (ada.split_once('#').unwrap(), bob.split_once('#').unwrap());
    for (page, key) in [(ada_page, bob_key), (bob_page, ada_key), (ada_page, &ada_key.replace("v2.", "v1."))] {
        home.run(&["download", &format!("{page}#{key}"), "-o", "-"]).expect_failure(6, "key");
    }
    // The key may come apart from the link.
    let recipient = Home::new();
    assert_eq!(recipient.run(&["download", ada_page, "--key", ada_key, "-o", "-"]).text(), "hello");
    recipient.run(&["download", bob_page, "-o", "-"]).expect_failure(2, "the key is missing");
    for link in links_of(&home, &serving, &bob).iter().filter(|link| link["own"] == false) {
        assert_eq!(link["download_count"], u64::from(link["name"] == "Ada"), "{link}");
    }
    let payload = home.file("payload", b"anything");
    home.run(&["open", &payload, "--key", ada_key]).expect_failure(2, "only with what the server stores");
}

#[test]
fn a_counted_download_is_repeated_after_the_limit() {
    let (home, serving) = started();
    let link = link_for(&upload(&home, &serving, &["--link", "Ada", "-d", "1"]), "Ada");
    home.run(&["download", &link]).expect_failure(9, "a.txt already exists");
    // The server gives the wrapped key of a used link to nobody: the first attempt has kept it.
    home.run(&["download", &link, "--rename"]).text();
    assert_eq!(std::fs::read(home.path().join("a (1).txt")).unwrap(), b"hello");
    assert_eq!(named(&links_of(&home, &serving, &link), "Ada")["download_count"], 1);
    home.run(&["download", &link, "--rename"]).expect_failure(4, "limit");
}

#[test]
fn link_and_key_are_printed_apart() {
    let (home, serving) = started();
    let file = home.file("a.txt", b"hello");
    let printed = home.run_at(&serving, &["upload", &file, "--link", "Ada", "--separate-key"]).text();
    let columns: Vec<_> = printed.trim_end().split('\t').collect();
    assert!(columns[0] == "Ada" && !columns[1].contains('#') && columns[2].starts_with("v2."), "{printed}");
    assert_eq!(home.run(&["download", columns[1], "--key", columns[2], "-o", "-"]).text(), "hello");
}

#[test]
fn names_of_links_are_checked_before_anything_is_sent() {
    let (home, serving) = started();
    let file = home.file("a.txt", b"hello");
    for (names, words) in [
        (vec!["Ada".to_owned(), "Bob".into(), "Ada".into()], "--link ada is given twice"),
        (vec!["x".repeat(65)], "at most 64 are allowed"),
        (vec!["A\tda".to_owned()], "a control character"),
        (vec![" ".to_owned()], "is empty"),
    ] {
        let options = names.iter().flat_map(|name| ["--link", name]);
        let arguments: Vec<_> = ["upload", &file].into_iter().chain(options).collect();
        home.run_at(&serving, &arguments).expect_failure(2, words);
    }
    home.run_at(&serving, &["upload", &file, "--link", "Ada", "--qr"]).expect_failure(2, "--qr");
    assert!(home.run(&["history", "--json"]).json()["items"].as_array().unwrap().is_empty());
}
