//! `sgsend list`: the transfers of the sender's token.

use crate::support::Home;

#[test]
fn transfers_are_listed_on_any_machine_with_the_token() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a.txt", b"hello");
    let upload = |arguments: &[&str]| home.run_at(&serving, &[&["upload", &file], arguments].concat()).text();
    let (used_up, live) = (upload(&["-d", "1"]), upload(&["--name", "kept.txt"]));
    home.run_at(&serving, &["download", &used_up, "-o", "-"]).text();
    let id = |link: &str| link.split("/d/").nth(1).unwrap()[..32].to_owned();
    let ids = |listed: &serde_json::Value| -> Vec<String> {
        let items = listed["items"].as_array().unwrap();
        items.iter().map(|item| item["transfer_id"].as_str().unwrap().to_owned()).collect()
    };
    let list = |home: &Home, arguments: &[&str]| home.run(&[&["list", "--json"], arguments].concat()).json();
    let listed = list(&home, &[]);
    assert_eq!((ids(&listed), &listed["next"]), (vec![id(&live)], &serde_json::Value::Null));
    assert_eq!(listed["items"][0]["name"], "kept.txt", "{listed}");
    assert_eq!(ids(&list(&home, &["--all"])), [id(&live), id(&used_up)]);
    assert_eq!(ids(&list(&home, &["--state", "limit-reached,expired"])), [id(&used_up)]);
    assert_eq!(ids(&list(&home, &["--state", "exhausted"])), [id(&used_up)]);
    assert_eq!(ids(&list(&home, &["--state", "deleted"])), [""; 0]);
    let text = home.run(&["list", "--all"]).text();
    let rows: Vec<_> = text.lines().collect();
    assert!(rows[0].contains("ready, expires in") && rows[0].contains("kept.txt"), "{text}");
    assert!(rows[1].contains("limit reached") && rows[1].contains("1 of 1"), "{text}");
    home.run(&["list", "--state", "gone"]).expect_failure(2, "gone");

    // Another machine knows no names, but the same transfers.
    let other = Home::new();
    std::fs::create_dir_all(other.path().join(".config/sgsend")).unwrap();
    std::fs::copy(home.path().join(".config/sgsend/config.toml"), other.path().join(".config/sgsend/config.toml"))
        .unwrap();
    let listed = list(&other, &["--all"]);
    assert_eq!(ids(&listed), [id(&live), id(&used_up)]);
    assert!(listed["items"][0].get("name").is_none(), "{listed}");
    Home::new().run_at(&serving, &["list"]).expect_failure(5, "sender token");
}
