//! Interrupted transfers that are signed: what an earlier process has sent or received is hashed again.

use std::fs;

use super::{SIGNALS, World, start_partial_download, start_partial_upload};
use crate::cli::people::SshKey;
use crate::support::content;

#[test]
fn an_interrupted_transfer_is_signed_and_verified_as_a_whole() {
    let world = World::new();
    let content = content(30 << 20);
    let file = world.home.file("a.bin", &content);
    let (key, other) = (SshKey::new(&world.home, 11), SshKey::new(&world.home, 12));
    let sign = format!("--sign={}", key.private);
    start_partial_upload(&world, &file, &[&sign]);
    // Another key is another command, so its upload starts anew; a key replaced in its file is refused.
    fs::copy(&other.private, &key.private).unwrap();
    world.run(&["upload", &file, &sign, "--resume"]).expect_failure(2, "another key");
    let key = SshKey::new(&world.home, 11);
    let link = world.run(&["upload", &file, &sign, "--resume"]).text();
    start_partial_download(&world, &link, 20 << 20, SIGNALS[1]);
    let received = world.run(&["download", &link, "-o", "b.bin", "--resume", "--require-signature"]);
    received.text();
    assert!(received.stderr.contains(&key.fingerprint), "{}", received.stderr);
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content);
}
