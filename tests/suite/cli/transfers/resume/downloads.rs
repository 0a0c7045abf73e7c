//! Interrupted downloads: partial files that are tampered with, or resumed with a wrong key.

use std::fs;

use super::{SIGNALS, World, start_partial_download, unfinished_transfers};
use crate::support::{Direction, content};

#[test]
fn a_tampered_partial_file_is_downloaded_again_from_the_first_bad_segment() {
    let world = World::new();
    let content = content(30 << 20);
    let file = world.home.file("a.bin", &content);
    let link = world.run(&["upload", &file]).text();
    start_partial_download(&world, &link, 20 << 20, SIGNALS[1]);
    let part =
        world.home.path().join(format!(".sgsend-{}.part", &unfinished_transfers(&world.home, "downloads")[0][..8]));
    let mut part_content = fs::read(&part).unwrap();
    assert!(part_content.len() > 10 << 20, "{}", part_content.len());
    part_content[6_000_000] ^= 1;
    fs::write(&part, part_content).unwrap();
    let before = world.proxy.bytes_forwarded(Direction::Downstream);
    world.run(&["download", link.trim(), "-o", "b.bin", "--resume"]).text();
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content);
    let received_bytes = world.proxy.bytes_forwarded(Direction::Downstream) - before;
    assert!((24 << 20..26 << 20).contains(&received_bytes), "{received_bytes} bytes were downloaded again");
    assert!(!part.exists());
}

#[test]
fn a_wrong_key_keeps_the_partial_file() {
    let world = World::new();
    let content = content(40 << 20);
    let file = world.home.file("a.bin", &content);
    let link = world.run(&["upload", &file]).text();
    start_partial_download(&world, &link, 24 << 20, SIGNALS[0]);
    let (page, _) = link.trim().split_once('#').unwrap();
    let wrong = format!("{page}#v1.{}", "A".repeat(43));
    world.run(&["download", &wrong, "-o", "b.bin", "--resume"]).expect_failure(6, "key");
    let before = world.proxy.bytes_forwarded(Direction::Downstream);
    world.run(&["download", link.trim(), "-o", "b.bin", "--resume"]).text();
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content);
    let received_bytes = world.proxy.bytes_forwarded(Direction::Downstream) - before;
    assert!(received_bytes < 32 << 20, "{received_bytes} bytes were downloaded again");
}
