//! `sgsend store check`

use crate::support::Home;

#[test]
fn a_healthy_store_passes_and_a_lost_payload_is_found() {
    let home = Home::new();
    let folder = home.path().join("store");
    let storage = format!("file:{}", folder.display());
    let serving = home.serve(&["--storage", &storage]);
    home.log_in(&serving);
    let file = home.file("large.bin", &vec![7; 300_000]);
    home.run_at(&serving, &["upload", &file]).text();
    serving.terminate();
    let sound = home.run(&["store", "check", &storage, "--json"]);
    assert_eq!((sound.exit, &sound.json()["ok"]), (0, &true.into()), "{}", sound.json());
    assert!(home.run(&["store", "check", &storage]).text().starts_with("no problems found"));
    let stray = folder.join("payloads/00").join(format!("{}.part", "0".repeat(32)));
    std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
    std::fs::write(&stray, b"abc").unwrap();
    let unsound = home.run(&["store", "check", &storage, "--json"]);
    assert_eq!((unsound.exit, &unsound.json()["items"][0]["code"]), (1, &"stray_payload".into()), "{}", unsound.json());
    std::fs::remove_dir_all(folder.join("payloads")).unwrap();
    let unsound = home.run(&["store", "check", &storage, "--json"]);
    assert_eq!((unsound.exit, &unsound.json()["items"][0]["code"]), (1, &"payload".into()), "{}", unsound.json());
}

#[test]
fn a_path_without_a_store_is_not_turned_into_a_store() {
    let home = Home::new();
    let folder = home.path().join("nothing");
    home.run(&["store", "check", &format!("file:{}", folder.display())]).expect_failure(9, "storage");
    assert!(!folder.exists());
    home.run(&["store", "check", "memory:"]).expect_failure(2, "memory:");
}
