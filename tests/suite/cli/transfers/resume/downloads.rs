//! Interrupted downloads: partial files that are tampered with, or resumed with a wrong key.

use std::fs;

use super::{SIGNALS, World, left, start_partial_download};
use crate::support::{Direction, content};

#[test]
fn a_tampered_partial_file_is_downloaded_again_from_the_first_bad_segment() {
    let world = World::new();
    let content = content(30 << 20);
    let file = world.home.file("a.bin", &content);
    let link = world.run(&["upload", &file]).text();
    start_partial_download(&world, &link, 20 << 20, SIGNALS[1]);
    let part = world.home.path().join(format!(".sgsend-{}.part", &left(&world.home, "downloads")[0][..8]));
    let mut kept = fs::read(&part).unwrap();
    assert!(kept.len() > 10 << 20, "{}", kept.len());
    kept[6_000_000] ^= 1;
    fs::write(&part, kept).unwrap();
    let before = world.proxy.bytes_forwarded(Direction::Downstream);
    world.run(&["download", link.trim(), "-o", "b.bin", "--resume"]).text();
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content);
    let fetched = world.proxy.bytes_forwarded(Direction::Downstream) - before;
    assert!((24 << 20..26 << 20).contains(&fetched), "{fetched} bytes were downloaded again");
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
    world.run(&["download", &wrong, "-o", "b.bin", "--resume"]).failed(6, "key");
    let before = world.proxy.bytes_forwarded(Direction::Downstream);
    world.run(&["download", link.trim(), "-o", "b.bin", "--resume"]).text();
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content);
    let fetched = world.proxy.bytes_forwarded(Direction::Downstream) - before;
    assert!(fetched < 32 << 20, "{fetched} bytes were downloaded again");
}
