//! The list of unfinished transfers.

use super::{SIGNALS, World, start_partial_download, start_partial_upload, unfinished_transfers};
use crate::support::content;

#[test]
fn unfinished_transfers_are_listed() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(30 << 20));
    let link = world.run(&["upload", &file]).text();
    start_partial_download(&world, &link, 12 << 20, SIGNALS[1]);
    start_partial_upload(&world, &file, &[]);
    let listed = world.run(&["history", "--json"]).json();
    let (sent, downloaded) = (&listed["unfinished"][0], &listed["unfinished"][1]);
    assert_eq!((sent["kind"].as_str(), sent["name"].as_str()), (Some("upload"), Some("a.bin")), "{listed}");
    assert_eq!(sent["transfer_id"], unfinished_transfers(&world.home, "uploads")[0].as_str());
    assert_eq!(downloaded["kind"], "download");
    assert!(link.contains(downloaded["transfer_id"].as_str().unwrap()), "{listed}");
    assert!(downloaded["name"].as_str().unwrap().contains(".part"), "{listed}");
    let finished = world.run(&["history"]).stderr;
    assert!(finished.contains("unfinished: a.bin, upload to ") && finished.contains("--resume"), "{finished}");
    world.run(&["upload", &file, "--resume"]).text();
    world.run(&["download", link.trim(), "-o", "b.bin", "--resume"]).text();
    assert_eq!(world.run(&["history", "--json"]).json()["unfinished"].as_array().unwrap().len(), 0);
}
