//! `sgsend edit`, `sgsend link edit`, `sgsend link revoke`, and `sgsend delete` with a further link.

use super::{id_of, link_for, links_of, named, started, upload};

#[test]
fn a_link_is_changed_and_the_others_stay() {
    let (home, serving) = started();
    let uploaded = upload(&home, &serving, &["--link", "Ada", "--link", "Bob", "-d", "1", "-e", "1d"]);
    let (ada, bob) = (link_for(&uploaded, "Ada"), link_for(&uploaded, "Bob"));
    let before = links_of(&home, &serving, &ada);
    // Neither needs a key: the id alone is enough for the sender.
    home.run_at(&serving, &["link", "edit", id_of(&ada), "-d", "3"]).text();
    home.run_at(&serving, &["edit", id_of(&ada), "-e", "14d"]).text();
    let after = links_of(&home, &serving, &ada);
    assert_eq!(named(&after, "Ada")["max_downloads"], 3);
    let expiry = |links: &[serde_json::Value], name| named(links, name)["expires_at"].as_u64().unwrap();
    assert!(expiry(&after, "Ada") > expiry(&before, "Ada") + 12 * 86_400_000);
    assert_eq!(named(&after, "Bob"), named(&before, "Bob"));
    for _ in 0..3 {
        assert_eq!(home.run(&["download", &ada, "-o", "-"]).text(), "hello");
    }
    home.run(&["download", &ada, "-o", "-"]).expect_failure(4, "limit");
    // Nothing revives a link that has ended.
    home.run_at(&serving, &["edit", &ada, "-d", "9"]).expect_failure(4, "limit");
    assert_eq!(home.run(&["download", &bob, "-o", "-"]).text(), "hello");
    let stored = home.run(&["history", "--json"]).json();
    let stored = named(stored["items"][0]["links"].as_array().unwrap(), "Ada").clone();
    assert_eq!((stored["expires_at"].as_u64(), &stored["max_downloads"]), (Some(expiry(&after, "Ada")), &3.into()));
}

#[test]
fn all_links_are_changed_at_once() {
    let (home, serving) = started();
    let uploaded = upload(&home, &serving, &["--link", "Ada", "--link", "Bob", "-d", "1"]);
    let id = uploaded["transfer_id"].as_str().unwrap();
    let changed = home.run_at(&serving, &["edit", id, "-d", "unlimited", "--all-links", "--json"]).json();
    let names: Vec<_> = changed["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, ["Ada", "Bob"], "the closed own link was changed");
    for name in ["Ada", "Bob"] {
        let link = link_for(&uploaded, name);
        for _ in 0..2 {
            assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "hello");
        }
    }
    home.run_at(&serving, &["edit", id]).expect_failure(2, "--expires");
    home.run_at(&serving, &["edit", id, "-d", "0"]).expect_failure(2, "1 or more");
}

#[test]
fn the_own_link_is_changed_by_the_id_of_its_transfer() {
    let (home, serving) = started();
    let link = upload(&home, &serving, &["-d", "1"])["link"].as_str().unwrap().to_owned();
    assert_eq!(home.run_at(&serving, &["edit", &link, "-d", "2", "--json"]).json()["items"][0]["max_downloads"], 2);
    for _ in 0..2 {
        assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "hello");
    }
    home.run(&["download", &link, "-o", "-"]).expect_failure(4, "limit");
}

#[test]
fn a_limit_below_the_count_ends_the_link_at_once() {
    let (home, serving) = started();
    let uploaded = upload(&home, &serving, &["--link", "Ada", "--link", "Bob"]);
    let ada = link_for(&uploaded, "Ada");
    assert_eq!(home.run(&["download", &ada, "-o", "-"]).text(), "hello");
    let ended = home.run_at(&serving, &["edit", &ada, "-d", "1", "--json"]).json();
    assert_eq!(ended["items"][0]["status"], "exhausted", "{ended}");
    home.run(&["download", &ada, "-o", "-"]).expect_failure(4, "limit");
}

#[test]
fn a_revoked_link_is_closed_and_the_others_stay() {
    let (home, serving) = started();
    let uploaded = upload(&home, &serving, &["--link", "Ada", "--link", "Bob", "--link", "Carol"]);
    let [ada, bob, carol] = ["Ada", "Bob", "Carol"].map(|name| link_for(&uploaded, name));
    let revoked = home.run_at(&serving, &["link", "revoke", id_of(&ada)]);
    assert!(revoked.stderr.contains("the link of Ada") && revoked.stderr.contains("is closed"), "{}", revoked.stderr);
    // Deleting a further link does not take the file from the others.
    let deleted = home.run_at(&serving, &["delete", &bob]);
    assert!(deleted.stderr.contains("the transfer and its other links stay"), "{}", deleted.stderr);
    for closed in [&ada, &bob] {
        home.run(&["download", closed, "-o", "-"]).expect_failure(4, "closed by its sender");
    }
    assert_eq!(home.run(&["download", &carol, "-o", "-"]).text(), "hello");
    let history = home.run(&["history"]).text();
    assert_eq!(history.matches("closed").count(), 2, "{history}");
    let id = uploaded["transfer_id"].as_str().unwrap();
    home.run_at(&serving, &["delete", id]).text();
    home.run(&["download", &carol, "-o", "-"]).expect_failure(4, "deleted");
}

#[test]
fn only_the_sender_can_change_links() {
    let (home, serving) = started();
    let ada = link_for(&upload(&home, &serving, &["--link", "Ada"]), "Ada");
    let other = crate::support::Home::new();
    let token = home.run_at(&serving, &["token", "create", "other"]).text();
    for arguments in [
        &["link", "list", &ada][..],
        &["link", "revoke", &ada],
        &["link", "add", &ada, "--name", "Mallory"],
        &["edit", &ada, "-d", "9"],
        &["delete", &ada],
    ] {
        let mut command = other.sgsend(arguments);
        let output = command.env("SGSEND_TOKEN", token.trim()).output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(home.run(&["download", &ada, "-o", "-"]).text(), "hello");
}
