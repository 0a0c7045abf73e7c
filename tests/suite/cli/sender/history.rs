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
    let kept = home.run_at(&serving, &["upload", &file, "--keep-key", "--name", "kept.txt", "-d", "2"]).text();
    home.run_at(&serving, &["upload", &file, "--no-history"]).text();
    let listed = home.run(&["history", "--json"]).json();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{listed}");
    let (bare, key) = plain.split_once('#').unwrap();
    assert_eq!((items[0]["link"].as_str(), items[0]["name"].as_str()), (Some(bare), Some("a secret.txt")));
    assert!(items[0].get("key").is_none() && !listed.to_string().contains(key), "{listed}");
    let whole = format!("{}#{}", items[1]["link"].as_str().unwrap(), items[1]["key"].as_str().unwrap());
    assert_eq!((whole.as_str(), items[1]["max_downloads"].as_u64()), (kept.as_str(), Some(2)));
    assert!(home.run(&["history"]).text().contains(&kept));

    let path = home.path().join(".local/state/sgsend/history.jsonl");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    let id = items[0]["transfer_id"].as_str().unwrap();
    home.run(&["history", "--remove", id]).text();
    home.run(&["history", "--remove", id]).failed(3, "is not in the history");
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
