//! Lists of links, and what `sgsend status` shows to senders and recipients.

use super::{id_of, link_for, links_of, named, started, upload};
use crate::support::Home;

/// Makes another home with the same sender token, without the history.
fn elsewhere(home: &Home) -> Home {
    let other = Home::new();
    let config = ".config/sgsend/config.toml";
    std::fs::create_dir_all(other.path().join(".config/sgsend")).unwrap();
    std::fs::copy(home.path().join(config), other.path().join(config)).unwrap();
    other
}

#[test]
fn the_sender_sees_who_has_downloaded() {
    let (home, serving) = started();
    let uploaded = upload(&home, &serving, &["--link", "Ada", "--link", "Bob", "-d", "2"]);
    let (id, ada) = (uploaded["transfer_id"].as_str().unwrap(), link_for(&uploaded, "Ada"));
    home.run(&["download", &ada, "-o", "-"]).text();
    for asked in [id, &ada] {
        let status = home.run_at(&serving, &["status", asked, "--json"]).json();
        let links = status["links"].as_array().unwrap();
        assert_eq!(named(links, "Ada")["download_count"], 1, "{status}");
        assert!(named(links, "Ada")["last_download_at"].as_u64() > Some(0));
        assert_eq!(
            (&named(links, "Bob")["download_count"], &named(links, "Bob")["last_download_at"]),
            (&0.into(), &serde_json::Value::Null)
        );
    }
    let shown = home.run_at(&serving, &["status", id]).text();
    let row = |name: &str| shown.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(row("Ada").contains("1 of 2") && row("Bob").contains("0 of 2"), "{shown}");
    assert!(row("Bob").contains("never"), "{shown}");
    // A transfer without further links has no table.
    let single = upload(&home, &serving, &[]);
    assert!(home.run(&["status", single["link"].as_str().unwrap(), "--json"]).json()["links"].is_null());
}

#[test]
fn names_are_decrypted_with_a_link_and_come_from_the_history_otherwise() {
    let (home, serving) = started();
    let uploaded = upload(&home, &serving, &["--link", "Ada", "--link", "Bob"]);
    let (id, ada) = (uploaded["transfer_id"].as_str().unwrap(), link_for(&uploaded, "Ada"));
    let names = |home: &Home, asked: &str| {
        let links = links_of(home, &serving, asked);
        links.iter().skip(1).map(|link| link["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let both = [Some("Ada".to_owned()), Some("Bob".to_owned())];
    assert_eq!(names(&home, id), both);
    let other = elsewhere(&home);
    assert_eq!(names(&other, &ada), both);
    assert_eq!(names(&other, id), [None, None]);
    assert!(other.run_at(&serving, &["link", "list", id]).text().contains("(unknown)"));
}

#[test]
fn the_id_of_a_further_link_tells_nothing_but_its_state() {
    let (home, serving) = started();
    let uploaded = upload(&home, &serving, &["--link", "Ada", "--message", "for Ada only"]);
    let ada = link_for(&uploaded, "Ada");
    let stranger = Home::new();
    let page = ada.split_once('#').unwrap().0;
    let shown = stranger.run(&["status", page]);
    shown.expect_failure(2, "this link is ready; all else is shown only with its key");
    stranger.run(&["status", page, "--events"]).expect_failure(2, "only with its key");
    stranger.run(&["status", page, "--wait", "downloaded"]).expect_failure(2, "only with its key");
    // The recipient sees the events of this link, and nothing of the transfer.
    let status = stranger.run(&["status", &ada, "--events", "--json"]);
    let id = uploaded["transfer_id"].as_str().unwrap();
    assert!(!String::from_utf8_lossy(&status.stdout).contains(id), "the id of the transfer is shown");
    let status = status.json();
    assert_eq!(status["transfer_id"], id_of(&ada), "{status}");
    assert!(status["links"].is_null(), "{status}");
    assert_eq!(stranger.run(&["download", &ada, "-o", "-"]).text(), "hello");
    stranger.run(&["status", &ada, "--wait", "downloaded"]).text();
}
