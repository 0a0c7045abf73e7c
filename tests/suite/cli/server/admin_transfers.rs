//! `sgsend admin`, `sgsend token update`, and the transfers of a revoked token.

use crate::support::{Home, ServerProcess, Terminal};

/// Starts a server; returns it with an upload by a token of its own.
fn with_uploads(home: &Home, count: usize) -> (ServerProcess, Vec<String>, String) {
    let serving = home.serve(&["--storage", "memory:"]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"hello");
    let upload = || home.run_at(&serving, &["upload", &file]).text().split("/d/").nth(1).unwrap()[..32].to_owned();
    let ids = (0..count).map(|_| upload()).collect();
    let listed = home.run_at(&serving, &["token", "list", "--json"]).json();
    let token = listed["items"][0]["token_id"].as_str().unwrap().to_owned();
    (serving, ids, token)
}

fn listed(home: &Home, serving: &ServerProcess, arguments: &[&str]) -> Vec<String> {
    let page = home.run_at(serving, &[&["admin", "list", "--json"], arguments].concat()).json();
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["transfer_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn operators_list_and_delete_transfers() {
    let home = Home::new();
    let (serving, mut ids, token) = with_uploads(&home, 4);
    ids.reverse();
    assert_eq!(listed(&home, &serving, &[]), ids);
    assert_eq!(listed(&home, &serving, &["--of-token", &token, "--limit", "3"]), ids[..3]);
    assert_eq!(listed(&home, &serving, &["--of-token", &"0".repeat(16)]), [""; 0]);
    assert_eq!(listed(&home, &serving, &["--state", "pending"]), [""; 0]);
    assert_eq!(listed(&home, &serving, &["--older-than", "1h"]), [""; 0]);
    assert_eq!(listed(&home, &serving, &["--order", "size"]), ids);
    let page = home.run_at(&serving, &["admin", "list", "--limit", "3"]);
    assert!(page.text().lines().all(|line| line.contains(&token)), "{}", page.text());
    assert!(page.stderr.contains("more than 3 transfers"), "{}", page.stderr);

    let deleted = home.run_at(&serving, &["admin", "delete", &ids[0], &ids[2], "--json"]).json();
    assert_eq!((&deleted["ok"], deleted["items"].as_array().unwrap().len()), (&true.into(), 2), "{deleted}");
    assert_eq!(listed(&home, &serving, &["--state", "ready"]), [ids[1].clone(), ids[3].clone()]);
    let unknown = "0".repeat(32);
    let failed = home.run_at(&serving, &["admin", "delete", &ids[1], &unknown]);
    failed.expect_failure(3, "1 transfer could not be deleted");
    assert!(failed.stderr.contains("deleted 1 transfer\n"), "{}", failed.stderr);
    let rest = home.run_at(&serving, &["admin", "delete", "--of-token", &token]);
    assert!(rest.stderr.contains("deleted 1 transfer\n"), "{}", rest.stderr);
    let again = home.run_at(&serving, &["admin", "delete", "--of-token", &token]);
    assert!(again.stderr.contains("deleted 0 transfers"), "{}", again.stderr);
    home.run_at(&serving, &["admin", "delete"]).expect_failure(2, "id");
}

#[test]
fn a_token_is_changed_by_its_id() {
    let home = Home::new();
    let (serving, _, token) = with_uploads(&home, 1);
    let update = |arguments: &[&str]| home.run_at(&serving, &[&["token", "update", &token], arguments].concat());
    let limited = ["--name", "press", "--expires", "2d", "--max-transfers", "1", "--max-total-bytes", "1MiB", "--json"];
    let item = update(&limited).json();
    assert_eq!((&item["name"], &item["max_transfers"]), (&"press".into(), &1.into()), "{item}");
    assert_eq!((&item["transfers_created"], &item["max_total_bytes"]), (&1.into(), &1_048_576.into()), "{item}");
    assert!(item["expires_at"].is_number() && item["bytes_held"].as_u64().unwrap() > 0, "{item}");
    let file = home.file("b.txt", b"hello");
    home.run_at(&serving, &["upload", &file]).expect_failure(7, "limit of 1 transfer");
    let text = update(&["--expires", "never", "--max-transfers", "unlimited"]).stderr;
    assert!(text.contains("never expires") && text.contains("1 transfer created"), "{text}");
    home.run_at(&serving, &["upload", &file]).text();
    update(&[]).expect_failure(2, "--name");
    update(&["--max-transfers", "0"]).expect_failure(2, "unlimited");
    home.run_at(&serving, &["token", "update", &"0".repeat(16), "--name", "x"]).expect_failure(3, "token");
    let usage = home.run_at(&serving, &["token", "list"]).text();
    assert!(usage.contains("2 transfers created"), "{usage}");
}

#[test]
fn revoking_a_token_offers_to_delete_its_transfers() {
    for (arguments, answer, left) in [
        (&["--delete-transfers"][..], None, 0),
        (&["--keep-transfers"], None, 1),
        (&[], None, 1),
        (&[], Some("\r"), 1),
        (&[], Some("y\r"), 0),
    ] {
        let home = Home::new();
        let (serving, _, token) = with_uploads(&home, 1);
        let command = [&["token", "revoke", &token], arguments].concat();
        if let Some(answer) = answer {
            let servers = ["--server", &serving.public, "--admin-server", &serving.admin];
            let mut terminal = Terminal::start(&home, &[&servers, &command[..]].concat(), &[]);
            terminal.wait_for("can still be downloaded. Delete them? [y/N]");
            terminal.type_in(answer);
            let (exit, shown) = terminal.end();
            assert!(exit == 0 && shown.contains("is revoked"), "{shown}");
        } else {
            let revoked = home.run_at(&serving, &[&command[..], &["--json"]].concat()).json();
            assert_eq!(revoked["status"], "revoked", "{revoked}");
            assert_eq!(revoked.get("deleted_transfers").is_some(), left == 0, "{revoked}");
        }
        assert_eq!(listed(&home, &serving, &["--state", "ready"]).len(), left, "{arguments:?} {answer:?}");
    }
    let home = Home::new();
    let both = home.run(&["token", "revoke", &"0".repeat(16), "--keep-transfers", "--delete-transfers"]);
    both.expect_failure(2, "--keep-transfers");
}
