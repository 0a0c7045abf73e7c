//! Interrupted uploads with links.

use serde_json::Value;

use super::{World, start_partial_upload, unfinished_transfers};
use crate::support::content;

#[test]
fn a_resumed_upload_has_the_links_of_its_first_attempt() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    let links = ["--link", "Ada", "--link", "Bob", "-d", "1"];
    start_partial_upload(&world, &file, &links);
    let id = unfinished_transfers(&world.home, "uploads").pop().unwrap();
    let state = std::fs::read(world.home.path().join(".local/state/sgsend/uploads").join(&id)).unwrap();
    let front: Value = serde_json::Deserializer::from_slice(&state).into_iter().next().unwrap().unwrap();
    let keys: Vec<_> = front["links"].as_array().unwrap().iter().map(|link| link["key"].clone()).collect();
    // Other recipients are another upload.
    world.run(&["upload", &file, "--resume", "--link", "Ada", "--dry-run"]).text();
    let resumed = world.run(&[&["upload", &file, "--resume", "--json"][..], &links].concat()).json();
    assert_eq!(resumed["transfer_id"], id.as_str());
    let found: Vec<_> = resumed["links"].as_array().unwrap().iter().map(|link| link["key"].clone()).collect();
    assert_eq!(found, keys);
    for (number, link) in resumed["links"].as_array().unwrap().iter().enumerate() {
        let output = format!("{number}.bin");
        let downloaded = world.run(&["download", link["link"].as_str().unwrap(), "-o", &output]);
        assert_eq!(downloaded.exit, 0, "{}", downloaded.stderr);
        assert!(std::fs::read(world.home.path().join(output)).unwrap() == content(20 << 20));
    }
    let listed = world.run(&["link", "list", &id, "--json"]).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1 + 2, "a link was created twice: {listed}");
}
