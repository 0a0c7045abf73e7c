//! Processes and connections that end repeatedly during a transfer.

use std::fs;

use sgsend::domain::crypto::random;

use super::{
    INTERRUPTIONS, LENGTH, SIGNALS, SIZE, World, check_signal_error, end_by_signal, spawn_command, unfinished_transfers,
};
use crate::support::{Direction, FinishedCommand, content};

/// Returns payload offsets in ascending order. They are random, one in each of `INTERRUPTIONS` equal stretches, and
/// none so near the end that a single attempt could reach the end.
fn interruption_offsets() -> Vec<u64> {
    let stretch = (SIZE - (40 << 20)) / INTERRUPTIONS;
    let random = |number| number * stretch + 4_000_000 + u64::from_be_bytes(random::bytes()) % (stretch - 4_000_000);
    (0..INTERRUPTIONS).map(random).collect()
}

#[test]
fn a_repeatedly_interrupted_upload_sends_nothing_twice() {
    let world = World::new();
    let content = content(LENGTH);
    let file = world.home.file("a.bin", &content);
    let points = interruption_offsets();
    for (number, point) in (0..).zip(&points) {
        let forwarded = world.proxy.bytes_forwarded(Direction::Upstream);
        world.proxy.close_after(Direction::Upstream, point.saturating_sub(forwarded).max(1_000_000));
        let upload = spawn_command(world.command(&["upload", &file, "-d", "3", "--resume", "--json"]));
        world.proxy.wait();
        let signal = SIGNALS[number % SIGNALS.len()];
        check_signal_error(&end_by_signal(upload, signal), signal, true);
        world.proxy.open();
        assert_eq!(unfinished_transfers(&world.home, "uploads").len(), 1, "interrupted at {points:?}");
    }
    let finished = world.run(&["upload", &file, "-d", "3", "--resume", "--json"]);
    assert_eq!(finished.exit, 0, "{} {} at {points:?}", finished.stderr, String::from_utf8_lossy(&finished.stdout));
    assert_eq!(unfinished_transfers(&world.home, "uploads"), [""; 0]);
    assert_eq!(
        (world.count_transfers("completed"), world.count_transfers("pending"), world.count_transfers("deleted")),
        (1, 0, 0)
    );
    // After an interruption, the server refuses the next request until it gives up the broken one, and part of the
    // refused request has been sent by then.
    let sent_bytes = world.proxy.bytes_forwarded(Direction::Upstream);
    assert!(
        sent_bytes < SIZE + INTERRUPTIONS * (4 << 20),
        "{sent_bytes} bytes were sent, with interruptions at {points:?}"
    );

    let link = finished.json()["link"].as_str().unwrap().to_owned();
    world.run(&["download", &link, "-o", "b.bin"]).text();
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content, "interrupted at {points:?}");
}

#[test]
fn a_repeatedly_interrupted_download_counts_once() {
    let world = World::new();
    let content = content(LENGTH);
    let file = world.home.file("a.bin", &content);
    let link = world.run(&["upload", &file, "-d", "1"]).text();
    let points = interruption_offsets();
    let before = world.proxy.bytes_forwarded(Direction::Downstream);
    let arguments = ["download", link.trim(), "-o", "b.bin", "--resume", "--json"];
    for (number, point) in (0..).zip(&points) {
        let forwarded = world.proxy.bytes_forwarded(Direction::Downstream) - before;
        world.proxy.close_after(Direction::Downstream, point.saturating_sub(forwarded).max(4_000_000));
        let download = spawn_command(world.command(&arguments));
        world.proxy.wait();
        let signal = SIGNALS[number % SIGNALS.len()];
        // The first interruption may precede the first complete segment.
        let output = end_by_signal(download, signal);
        check_signal_error(&output, signal, unfinished_transfers(&world.home, "downloads").len() == 2);
        world.proxy.open();
        assert!(!world.home.path().join("b.bin").exists());
    }
    let finished = world.run(&arguments);
    assert_eq!(finished.exit, 0, "{} {} at {points:?}", finished.stderr, String::from_utf8_lossy(&finished.stdout));
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content, "interrupted at {points:?}");
    assert_eq!(unfinished_transfers(&world.home, "downloads"), [""; 0]);
    // Incomplete segments and bytes in flight are downloaded again.
    let received_bytes = world.proxy.bytes_forwarded(Direction::Downstream) - before;
    assert!(
        received_bytes < SIZE + INTERRUPTIONS * 8_000_000,
        "{received_bytes} bytes were downloaded, with interruptions at {points:?}"
    );
    let second = world.run(&["download", link.trim(), "-o", "c.bin"]);
    second.expect_failure(4, "download limit");
}

#[test]
fn a_network_failure_leaves_a_resumable_transfer() {
    let world = World::new();
    let content = content(30 << 20);
    let file = world.home.file("a.bin", &content);
    world.proxy.close_after(Direction::Upstream, 12 << 20);
    let failed = |finished: &FinishedCommand| {
        assert_eq!(finished.exit, 10, "{}", finished.stderr);
        let error = &finished.json()["error"];
        assert_eq!((&error["resumable"], &error["retryable"]), (&true.into(), &true.into()));
        assert!(error["hint"].as_str().unwrap().contains("--resume"), "{error}");
    };
    failed(&world.run(&["upload", &file, "--json", "--timeout", "2s"]));
    world.proxy.open();
    let link = world.run(&["upload", &file, "--resume"]).text();
    world.proxy.close_after(Direction::Downstream, 12 << 20);
    failed(&world.run(&["download", link.trim(), "-o", "b.bin", "--json", "--timeout", "2s"]));
    world.proxy.open();
    world.run(&["download", link.trim(), "-o", "b.bin", "--resume"]).text();
    assert!(fs::read(world.home.path().join("b.bin")).unwrap() == content);
    let status = world.run(&["status", link.trim(), "--json"]).json();
    assert_eq!(status["download_count"], 1);
}
