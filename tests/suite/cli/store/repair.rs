//! `sgsend store check --repair`: what it would do, what it does, and what it leaves.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Home, Terminal, payload_file};

/// Makes a store with two transfers; loses the payload of one, and adds a payload without a transfer.
///
/// Returns the storage, its folder, and the link of the transfer without a payload.
fn damaged(home: &Home) -> (String, PathBuf, String) {
    let folder = home.path().join("store");
    let storage = format!("file:{}", folder.display());
    let serving = home.serve(&["--storage", &storage]);
    home.log_in(&serving);
    let file = home.file("file", b"content");
    home.run_at(&serving, &["upload", &file]).text();
    let lost = home.run_at(&serving, &["upload", &file]).text();
    serving.terminate();
    std::fs::remove_file(payload_file(&folder, id(&lost))).unwrap();
    let stray = payload(&folder, &"0".repeat(32));
    std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
    std::fs::write(&stray, "abc").unwrap();
    (storage, folder, lost)
}

fn id(link: &str) -> &str {
    &link.split_once("/d/").unwrap().1[..32]
}

/// Returns the file of a payload that has the id of its transfer, as before layout 4.
fn payload(folder: &Path, id: &str) -> PathBuf {
    folder.join("payloads").join(&id[..2]).join(format!("{id}.enc"))
}

fn codes(findings: &Value) -> Vec<&str> {
    findings.as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[test]
fn a_repair_says_what_it_would_do_and_does_it_once() {
    let home = Home::new();
    let (storage, folder, lost) = damaged(&home);
    let planned = home.run(&["store", "check", &storage, "--repair", "--json"]);
    let plan = planned.json();
    assert_eq!((planned.exit, codes(&plan["items"])), (1, vec!["payload", "stray_payload"]), "{plan}");
    assert!(plan["items"][0]["repair"].as_str().unwrap().contains("delete the transfer"), "{plan}");
    assert!(plan.get("repair").is_none(), "something was repaired without --yes: {plan}");
    let planned = home.run(&["store", "check", &storage, "--repair"]);
    let text = String::from_utf8(planned.stdout).unwrap();
    assert!(planned.exit == 1 && text.contains("repair: remove the payload"), "{text}");
    assert!(planned.stderr.contains("--yes"), "{}", planned.stderr);
    assert!(payload(&folder, &"0".repeat(32)).exists());

    let repaired = home.run(&["store", "check", &storage, "--repair", "--yes", "--json"]);
    let report = repaired.json();
    assert_eq!((repaired.exit, &report["ok"], &report["repair"]["repaired"]), (0, &true.into(), &2.into()), "{report}");
    assert_eq!(report["repair"]["left"], serde_json::json!([]));
    assert!(!payload(&folder, &"0".repeat(32)).exists());
    let again = home.run(&["store", "check", &storage, "--repair", "--yes", "--json"]);
    assert!(again.exit == 0 && again.json().get("repair").is_none(), "{}", again.json());

    let serving = home.serve(&["--storage", &storage]);
    let link = format!("{}/d/{}", serving.public, lost.split_once("/d/").unwrap().1);
    home.run_at(&serving, &["download", &link, "-o", "-"]).expect_failure(4, "deleted");
    let records = home.run_at(&serving, &["audit", "show", id(&lost), "--json"]).json();
    let is_repair = |record: &&Value| record["action"] == "store.repair" && record["repaired"]["finding"] == "payload";
    assert_eq!(records["items"].as_array().unwrap().iter().filter(is_repair).count(), 1, "{records}");
}

#[test]
fn a_repair_works_beside_a_running_service() {
    let home = Home::new();
    let (storage, folder, _) = damaged(&home);
    let serving = home.serve(&["--storage", &storage]);
    let repaired = home.run(&["store", "check", &storage, "--repair", "--yes", "--json"]);
    assert_eq!(repaired.exit, 0, "{}", repaired.json());
    home.log_in(&serving);
    let file = home.file("other", b"other content");
    home.run_at(&serving, &["upload", &file]).text();
    serving.terminate();
    assert!(!payload(&folder, &"0".repeat(32)).exists());
    assert_eq!(home.run(&["store", "check", &storage]).exit, 0);
}

#[test]
fn a_repair_asks_on_a_terminal() {
    let home = Home::new();
    let (storage, folder, _) = damaged(&home);
    for (answer, is_repaired) in [("n\r", false), ("y\r", true)] {
        let mut terminal = Terminal::start(&home, &["store", "check", &storage, "--repair"], &[]);
        terminal.wait_for("Repair 2 findings? [y/N]");
        terminal.type_in(answer);
        let (exit, shown) = terminal.end();
        assert_eq!(exit == 0, is_repaired, "{answer:?}: {shown}");
        assert_eq!(payload(&folder, &"0".repeat(32)).exists(), !is_repaired);
    }
}
