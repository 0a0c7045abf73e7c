//! Interrupted downloads of chosen entries of an archive.

use std::fs;

use super::{SIGNALS, World, check_signal_error, end_by_signal, spawn_command, unfinished_transfers};
use crate::support::{Direction, content};

#[test]
fn chosen_entries_resume_after_the_segments_that_were_written() {
    let world = World::new();
    let folder = world.home.path().join("sent");
    fs::create_dir(&folder).unwrap();
    for (name, size) in [("a.bin", 6 << 20), ("b.bin", 30 << 20), ("c.txt", 5)] {
        fs::write(folder.join(name), content(size)).unwrap();
    }
    let link = world.run(&["upload", "sent", "--downloads", "1"]).text();
    let command = ["download", link.trim(), "--only", "b.bin", "--only", "c.txt", "-o", "came", "--json"];
    world.proxy.close_after(Direction::Downstream, 20 << 20);
    let download = spawn_command(world.command(&command));
    world.proxy.wait();
    let output = end_by_signal(download, SIGNALS[0]);
    check_signal_error(&output, SIGNALS[0], true);
    world.proxy.open();
    assert!(unfinished_transfers(&world.home, "downloads").iter().any(|name| name.ends_with("-only.part")));
    let before = world.proxy.bytes_forwarded(Direction::Downstream);
    world.run(&[&command[..], &["--resume"]].concat()).json();
    let received = world.proxy.bytes_forwarded(Direction::Downstream) - before;
    assert!(received < 26 << 20, "{received} bytes were downloaded again");
    assert!(fs::read(world.home.path().join("came/b.bin")).unwrap() == content(30 << 20));
    assert!(fs::read(world.home.path().join("came/c.txt")).unwrap() == content(5));
    assert!(!world.home.path().join("came/a.bin").exists());
    let left: Vec<_> = unfinished_transfers(&world.home, "downloads");
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(world.run(&["status", link.trim(), "--json"]).json()["download_count"], 1);
}

#[test]
fn a_changed_part_of_chosen_entries_is_downloaded_again() {
    let world = World::new();
    let folder = world.home.path().join("sent");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("b.bin"), content(30 << 20)).unwrap();
    fs::write(folder.join("z.bin"), content(9)).unwrap();
    let link = world.run(&["upload", "sent"]).text();
    let command = ["download", link.trim(), "--only", "b.bin", "-o", "came"];
    world.proxy.close_after(Direction::Downstream, 20 << 20);
    let download = spawn_command(world.command(&command));
    world.proxy.wait();
    end_by_signal(download, SIGNALS[1]);
    world.proxy.open();
    let part = fs::read_dir(world.home.path()).unwrap().map(|entry| entry.unwrap().path());
    let part = part.filter(|path| path.to_string_lossy().ends_with("-only.part")).last().unwrap();
    let mut bytes = fs::read(&part).unwrap();
    bytes[3_000_000] ^= 1;
    fs::write(&part, bytes).unwrap();
    world.run(&[&command[..], &["--resume"]].concat()).text();
    assert!(fs::read(world.home.path().join("came/b.bin")).unwrap() == content(30 << 20));
}
