//! Interrupted uploads: when they resume, and when a new upload starts.

use std::fs;

use serde_json::Value;

use super::{World, send, spawn_command, start_partial_upload, unfinished_transfers};
use crate::support::{Direction, content};

#[test]
fn a_changed_file_is_not_resumed() {
    let world = World::new();
    let mut content = content(30 << 20);
    let file = world.home.file("a.bin", &content);
    start_partial_upload(&world, &file, &[]);
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    // Changes content that is already uploaded, and restores the mtime.
    content[5_000_000] ^= 1;
    fs::write(&file, &content).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    world.run(&["upload", &file, "--resume"]).expect_failure(9, "changed");
    assert_eq!((unfinished_transfers(&world.home, "uploads"), world.count_transfers("deleted")), (vec![], 1));

    start_partial_upload(&world, &file, &[]);
    content.push(0);
    fs::write(&file, &content).unwrap();
    world.run(&["upload", &file, "--resume"]).expect_failure(9, "grew");
    assert_eq!((unfinished_transfers(&world.home, "uploads"), world.count_transfers("deleted")), (vec![], 2));
}

#[test]
fn other_options_or_a_deleted_transfer_start_a_new_upload() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    start_partial_upload(&world, &file, &[]);
    let id = unfinished_transfers(&world.home, "uploads").pop().unwrap();
    // Different options start a different upload.
    let other = world.run(&["upload", &file, "-d", "2", "--resume", "--json"]).json();
    assert_ne!(other["transfer_id"], id.as_str());
    assert_eq!((unfinished_transfers(&world.home, "uploads"), world.count_transfers("pending")), (vec![id.clone()], 1));
    world.delete_elsewhere(&id);
    let anew = world.run(&["upload", &file, "--resume", "--json", "--verbose"]);
    assert_eq!(anew.exit, 0, "{}", anew.stderr);
    assert!(anew.stderr.contains("starting a new one"), "{}", anew.stderr);
    assert_eq!((unfinished_transfers(&world.home, "uploads"), world.count_transfers("completed")), (vec![], 2));
}

#[test]
fn non_resumable_transfers_leave_no_state() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    world.proxy.close_after(Direction::Upstream, 12 << 20);
    let upload = spawn_command(world.command(&["upload", &file, "--no-resume-state", "--json"]));
    world.proxy.wait();
    // Lets the process delete its transfer before it exits.
    world.proxy.let_others_in();
    send(&upload, "INT");
    let output = upload.wait_with_output().unwrap();
    let failure: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), world.count_transfers("deleted")), (Some(130), 1));
    assert_eq!(failure["error"]["resumable"], false, "{failure}");
    assert_eq!(unfinished_transfers(&world.home, "uploads"), [""; 0]);
}

#[test]
fn resuming_reuses_the_stored_passphrase_key() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    let (right, wrong) = (world.home.file("right", b"secret words"), world.home.file("wrong", b"others"));
    start_partial_upload(&world, &file, &["--passphrase-file", &right]);
    world.run(&["upload", &file, "--resume", "--passphrase-file", &wrong]).expect_failure(2, "another passphrase");
    // No terminal is available for a prompt.
    let link = world.run(&["upload", &file, "--resume", "--passphrase"]).text();
    let downloaded = world.run(&["download", link.trim(), "-o", "b.bin", "--passphrase-file", &right]);
    assert_eq!(downloaded.exit, 0, "{}", downloaded.stderr);
}

#[test]
fn a_passphrase_is_never_lost_with_its_transfer() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    let passphrase = world.home.file("passphrase", b"secret words");
    start_partial_upload(&world, &file, &["--passphrase-file", &passphrase]);
    let id = unfinished_transfers(&world.home, "uploads").pop().unwrap();
    world.delete_elsewhere(&id);
    // Only the user knows the passphrase, and no terminal is available for a prompt.
    world.run(&["upload", &file, "--resume", "--passphrase"]).expect_failure(4, "run the command again");
    start_partial_upload(&world, &file, &["--passphrase-file", &passphrase]);
    let id = unfinished_transfers(&world.home, "uploads").pop().unwrap();
    world.delete_elsewhere(&id);
    let link = world.run(&["upload", &file, "--resume", "--passphrase-file", &passphrase]).text();
    assert!(link.contains("#v1p."), "the passphrase was lost: {link}");
}
