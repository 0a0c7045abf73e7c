//! The upload history on the sender's machine.

use std::os::unix::fs::PermissionsExt;

use crate::support::Home;

#[test]
fn uploads_are_recorded_without_keys_by_default() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a secret.txt", b"hello");
    let plain = home.run_at(&serving, &["upload", &file]).text();
    let link_with_key = home.run_at(&serving, &["upload", &file, "--keep-key", "--name", "kept.txt", "-d", "2"]).text();
    home.run_at(&serving, &["upload", &file, "--no-history"]).text();
    let listed = home.run(&["history", "--json"]).json();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{listed}");
    let (bare, key) = plain.split_once('#').unwrap();
    assert_eq!((items[0]["link"].as_str(), items[0]["name"].as_str()), (Some(bare), Some("a secret.txt")));
    assert!(items[0].get("key").is_none() && !listed.to_string().contains(key), "{listed}");
    let whole = format!("{}#{}", items[1]["link"].as_str().unwrap(), items[1]["key"].as_str().unwrap());
    assert_eq!((whole.as_str(), items[1]["max_downloads"].as_u64()), (link_with_key.as_str(), Some(2)));
    assert!(home.run(&["history"]).text().contains(&link_with_key));

    let path = home.path().join(".local/state/sgsend/history.jsonl");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    let id = items[0]["transfer_id"].as_str().unwrap();
    home.run(&["history", "--remove", id]).text();
    home.run(&["history", "--remove", id]).expect_failure(3, "is not in the history");
    assert_eq!(home.run(&["history", "--json"]).json()["items"].as_array().unwrap().len(), 1);
    home.run(&["history", "--clear"]).text();
    assert_eq!(home.run(&["history"]).text(), "");
}

#[test]
fn an_upload_does_not_fail_for_its_history() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let path = home.path().join(".local/state/sgsend/history.jsonl");
    std::fs::create_dir_all(&path).unwrap();
    let finished = home.run_at(&serving, &["upload", &home.file("a.txt", b"hello")]);
    assert!(finished.text().contains("/d/"));
    assert!(finished.stderr.contains("warning: "), "{}", finished.stderr);
}

#[test]
fn ended_transfers_are_not_listed_as_live() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"hello");
    let upload = |arguments: &[&str]| home.run_at(&serving, &[&["upload", &file], arguments].concat()).text();
    let (deleted, seen_deleted, used_up) = (upload(&[]), upload(&[]), upload(&["-d", "1"]));
    let live = upload(&[]);
    let state = |link: &str| {
        let listed = home.run(&["history", "--offline", "--json"]).json();
        let items = listed["items"].as_array().unwrap().clone();
        let item = items.into_iter().find(|item| link.starts_with(item["link"].as_str().unwrap())).unwrap();
        item["ended"].as_str().map(str::to_owned)
    };
    assert_eq!(state(&deleted), None);
    home.run(&["delete", &deleted]).text();
    assert_eq!(state(&deleted).as_deref(), Some("deleted"));

    // Deleted by another program: the next status knows.
    let id = seen_deleted.split("/d/").nth(1).unwrap().split('#').next().unwrap();
    let other = crate::support::Home::new();
    std::fs::create_dir_all(other.path().join(".config/sgsend")).unwrap();
    std::fs::copy(home.path().join(".config/sgsend/config.toml"), other.path().join(".config/sgsend/config.toml"))
        .unwrap();
    other.run(&["delete", &seen_deleted]).text();
    assert_eq!(state(&seen_deleted), None);
    home.run(&["status", id]).text();
    home.run(&["status", id]).text();
    assert_eq!(state(&seen_deleted).as_deref(), Some("deleted"));
    home.run(&["download", &used_up, "-o", "-"]).text();
    home.run(&["status", &used_up]).text();
    assert_eq!(state(&used_up).as_deref(), Some("exhausted"));
    assert_eq!(state(&live), None);
    let text = home.run(&["history"]).text();
    let rows: Vec<_> = text.lines().map(|line| line.split("  ").nth(1).unwrap().trim().to_owned()).collect();
    assert_eq!((&*rows[0], &*rows[1], &*rows[2]), ("deleted", "deleted", "limit reached"), "{text}");
    assert!(rows[3].starts_with("expires "), "{text}");
    home.run(&["history", "--remove", id]).text();
    assert_eq!(home.run(&["history"]).text().lines().count(), 3);

    let path = home.path().join(".local/state/sgsend/history.jsonl");
    let history = std::fs::read_to_string(&path).unwrap();
    let newest = history.lines().rev().find(|text| text.contains("expires_at")).unwrap();
    let mut entry: serde_json::Value = serde_json::from_str(newest).unwrap();
    entry["expires_at"] = 1_000.into();
    std::fs::write(&path, format!("{entry}\n")).unwrap();
    assert!(home.run(&["history"]).text().contains(" days ago  "), "{}", home.run(&["history"]).text());
}

#[test]
fn the_history_says_what_became_of_transfers() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"hello");
    let upload = |arguments: &[&str]| home.run_at(&serving, &[&["upload", &file], arguments].concat()).text();
    let (deleted, downloaded) = (upload(&[]), upload(&["-d", "2"]));
    // Another machine deletes one transfer and downloads the other.
    let other = Home::new();
    let admin = home.run_at(&serving, &["admin", "delete", &deleted, "--yes"]);
    assert!(admin.stderr.contains("deleted 1 transfer"), "{}", admin.stderr);
    other.run_at(&serving, &["download", &downloaded, "-o", "-"]).text();
    let of = |listed: &serde_json::Value, link: &str| {
        let items = listed["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| link.starts_with(item["link"].as_str().unwrap())).unwrap()
    };
    let offline = home.run(&["history", "--offline", "--json"]).json();
    assert!(of(&offline, &deleted).get("status").is_none() && of(&offline, &deleted).get("ended").is_none());
    // Without the token, each transfer is asked for.
    let config = home.path().join(".config/sgsend/config.toml");
    for with_token in [false, true] {
        let saved = std::fs::read(&config).unwrap();
        if !with_token {
            std::fs::remove_file(&config).unwrap();
        }
        let listed = home.run(&["history", "--json"]).json();
        assert_eq!(of(&listed, &downloaded)["status"], "completed", "{listed}");
        assert_eq!(of(&listed, &downloaded)["download_count"], 1);
        assert_eq!(of(&listed, &deleted)["ended"], "deleted");
        std::fs::write(&config, saved).unwrap();
    }
    // The end is known from then on, also without the server.
    let public = serving.public.clone();
    serving.kill();
    let finished = home.run(&["history", "--json"]);
    assert_eq!(of(&finished.json(), &deleted)["ended"], "deleted");
    assert!(of(&finished.json(), &downloaded).get("status").is_none());
    assert!(finished.stderr.contains(&format!("{public} did not say")), "{}", finished.stderr);
    assert!(!home.run(&["history", "--offline"]).stderr.contains("did not say"));
}
