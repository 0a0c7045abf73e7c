//! Interrupted uploads: when they resume, and when a new upload starts.

use std::fs;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use sgsend::domain::crypto::key::LinkKey;
use sgsend::domain::crypto::passphrase::Passphrase;

use super::{World, send, spawn_command, start_partial_upload, unfinished_transfers};
use crate::support::{Direction, Home, content};

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
fn resuming_needs_the_passphrase_again() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    let (right, wrong) = (world.home.file("right", b"secret words"), world.home.file("wrong", b"others"));
    start_partial_upload(&world, &file, &["--passphrase-file", &right]);
    world.run(&["upload", &file, "--resume", "--passphrase-file", &wrong]).expect_failure(2, "another passphrase");
    // No terminal is available for a prompt.
    world.run(&["upload", &file, "--resume", "--passphrase"]).expect_failure(2, "a passphrase is required");
    assert_eq!(unfinished_transfers(&world.home, "uploads").len(), 1, "the state is kept for the right passphrase");
    let link = world.run(&["upload", &file, "--resume", "--passphrase-file", &right]).text();
    assert_eq!(world.count_transfers("completed"), 1);
    let downloaded = world.run(&["download", link.trim(), "-o", "b.bin", "--passphrase-file", &right]);
    assert_eq!(downloaded.exit, 0, "{}", downloaded.stderr);
}

#[test]
fn the_state_of_an_upload_with_a_passphrase_does_not_open_it() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    let passphrase = world.home.file("passphrase", b"secret words");
    start_partial_upload(&world, &file, &["--passphrase-file", &passphrase]);
    let id = unfinished_transfers(&world.home, "uploads").pop().unwrap();
    let state = fs::read(world.home.path().join(".local/state/sgsend/uploads").join(&id)).unwrap();
    let front: Value = serde_json::Deserializer::from_slice(&state).into_iter().next().unwrap().unwrap();
    let link_key: LinkKey = front["link_key"].as_str().unwrap().parse().unwrap();
    assert!(link_key.needs_passphrase());
    let key = link_key.unlock(Some(&Passphrase::new("secret words").unwrap())).unwrap().into_own().unwrap();
    let key = key.as_bytes();
    let hex = key.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let (url, base64) = (URL_SAFE_NO_PAD.encode(key), STANDARD.encode(key));
    let forms: [&[u8]; 5] = [key, url.as_bytes(), base64.as_bytes(), hex.as_bytes(), b"secret words"];
    for (form, secret) in forms.into_iter().enumerate() {
        assert!(!state.windows(secret.len()).any(|window| window == secret), "form {form} is in the state");
    }
}

#[test]
fn any_command_removes_state_that_cannot_be_resumed() {
    let home = Home::new();
    let state = home.path().join(".local/state/sgsend");
    let leave = |folder: &str, name: &str, text: &str, days: u64| {
        let folder = state.join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
        let file = fs::File::options().write(true).open(folder.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(24 * days)).unwrap();
    };
    for arguments in [&["--version"][..], &["history"], &["man"], &["completions", "bash"], &["no-such-command"]] {
        leave("uploads", "earlier", r#"{"v":2,"command":"","payload_key":"k"}"#, 0);
        leave("uploads", "expired", r#"{"v":3,"expires_at":1,"command":"","link_key":"v1.k"}"#, 0);
        leave("uploads", "old", "anything", 8);
        leave("uploads", "young", "anything", 6);
        leave("downloads", "old", "anything", 8);
        leave("downloads", "young", "anything", 6);
        home.run(arguments);
        let mut remaining = ["uploads", "downloads"].map(|kind| unfinished_transfers(&home, kind)).concat();
        remaining.sort();
        assert_eq!(remaining, ["young", "young"], "{arguments:?}");
    }
}

#[test]
fn a_passphrase_is_never_lost_with_its_transfer() {
    let world = World::new();
    let file = world.home.file("a.bin", &content(20 << 20));
    let passphrase = world.home.file("passphrase", b"secret words");
    start_partial_upload(&world, &file, &["--passphrase-file", &passphrase]);
    let id = unfinished_transfers(&world.home, "uploads").pop().unwrap();
    world.delete_elsewhere(&id);
    // A passphrase that is typed once may be mistyped: the new transfer must not get it.
    let wrong = world.home.file("wrong", b"secret wodrs");
    world.run(&["upload", &file, "--resume", "--passphrase-file", &wrong]).expect_failure(2, "another passphrase");
    assert_eq!((unfinished_transfers(&world.home, "uploads"), world.count_transfers("completed")), (vec![id], 0));
    let link = world.run(&["upload", &file, "--resume", "--passphrase-file", &passphrase]).text();
    assert!(link.contains("#v1p."), "the passphrase was lost: {link}");
}
