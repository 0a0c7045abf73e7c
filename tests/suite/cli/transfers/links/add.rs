//! `sgsend link add`.

use super::{id_of, link_for, links_of, named, started, upload};

#[test]
fn a_link_is_added_with_any_complete_link_of_the_transfer() {
    let (home, serving) = started();
    let uploaded = upload(&home, &serving, &["--link", "Ada"]);
    let ada = link_for(&uploaded, "Ada");
    let add = |link: &str, options: &[&str]| home.run_at(&serving, &[&["link", "add", link], options].concat());
    let carol = add(&ada, &["--name", "Carol", "-d", "2", "-e", "3d"]).text();
    assert!(carol.contains("#v2."), "{carol}");
    assert_eq!(home.run(&["download", &carol, "-o", "-"]).text(), "hello");
    let passphrase = home.file("passphrase", b"secret words");
    let dave = add(&carol, &["--name", "Dave", "--passphrase-file", &passphrase, "--json"]).json();
    assert_eq!((&dave["name"], &dave["own_link_open"]), (&"Dave".into(), &false.into()), "{dave}");
    let dave = dave["link"].as_str().unwrap();
    assert!(dave.contains("#v2p."), "{dave}");
    // A link with a passphrase also gives the key.
    let erin = add(dave, &["--name", "Erin", "--link-passphrase-file", &passphrase]).text();
    assert_eq!(home.run(&["download", &erin, "-o", "-"]).text(), "hello");
    let links = links_of(&home, &serving, &ada);
    assert_eq!(named(&links, "Carol")["max_downloads"], 2);
    assert_eq!(named(&links, "Erin")["max_downloads"], serde_json::Value::Null);
    assert_eq!(links.len(), 1 + 4);
}

#[test]
fn a_link_needs_the_key_from_a_link_or_the_history() {
    let (home, serving) = started();
    for (options, is_kept) in [(&["--link", "Ada"][..], false), (&["--link", "Ada", "--keep-key"], true), (&[], false)]
    {
        let uploaded = upload(&home, &serving, options);
        let id = uploaded["transfer_id"].as_str().unwrap();
        let added = home.run_at(&serving, &["link", "add", id, "--name", "Carol", "--no-input"]);
        if is_kept {
            assert_eq!(home.run(&["download", &added.text(), "-o", "-"]).text(), "hello");
        } else {
            added.expect_failure(2, "--keep-key");
            assert_eq!(links_of(&home, &serving, id).iter().filter(|link| link["name"] == "Carol").count(), 0);
        }
    }
}

#[test]
fn a_wrong_key_adds_no_link() {
    let (home, serving) = started();
    let (first, second) =
        (upload(&home, &serving, &["--link", "Ada"]), upload(&home, &serving, &["--link", "Bob", "--keep-key"]));
    let own_key = home.run(&["history", "--json"]).json()["items"][1]["key"].as_str().unwrap().to_owned();
    let (ada, bob) = (link_for(&first, "Ada"), link_for(&second, "Bob"));
    let page = ada.split_once('#').unwrap().0;
    let own_page = page.replace(id_of(&ada), first["transfer_id"].as_str().unwrap());
    for wrong in [format!("{page}#{}", bob.split_once('#').unwrap().1), format!("{own_page}#{own_key}")] {
        home.run_at(&serving, &["link", "add", &wrong, "--name", "Carol"])
            .expect_failure(6, "not that of the transfer");
    }
    assert_eq!(links_of(&home, &serving, &ada).len(), 2);
}

#[test]
fn an_open_own_link_is_named_and_can_be_closed() {
    let (home, serving) = started();
    let uploaded = upload(&home, &serving, &[]);
    let own = uploaded["link"].as_str().unwrap();
    let added = home.run_at(&serving, &["link", "add", own, "--name", "Carol", "--no-input"]);
    assert!(added.stderr.contains("the transfer's own link is open"), "{}", added.stderr);
    assert_eq!(home.run(&["download", own, "-o", "-"]).text(), "hello");
    let closed = home.run_at(&serving, &["link", "add", own, "--name", "Dave", "--close-own", "--json"]).json();
    assert_eq!(closed["own_link_open"], false);
    home.run(&["download", own, "-o", "-"]).expect_failure(4, "closed by its sender");
    for link in [added.text(), closed["link"].as_str().unwrap().to_owned()] {
        assert_eq!(home.run(&["download", &link, "-o", "-"]).text(), "hello");
    }
}
