//! Interrupted presigned transfers: parts and ranges are not transferred again.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;

use http::Method;
use sgsend::domain::crypto::random;

use super::{
    INTERRUPTIONS, LENGTH, SIGNALS, SIZE, World, end_by_signal, spawn_command, start_partial_download,
    start_partial_upload, unfinished_transfers,
};
use crate::support::stub::{Act, MIB, Plan, StoreRequest, Stub, Terms};
use crate::support::{Direction, Home, content};

/// Returns part or range numbers so far apart that no two of them are requested concurrently.
fn spread_numbers() -> BTreeSet<u64> {
    let stretch = SIZE / (2 * MIB) / INTERRUPTIONS;
    (0..INTERRUPTIONS)
        .map(|number| number * stretch + 1 + u64::from_be_bytes(random::bytes()) % (stretch - 6))
        .collect()
}

/// Starts a store that never responds to the first request for each of these parts or ranges.
fn silent_at(method: Method, places: &BTreeSet<u64>) -> Stub {
    let places = Mutex::new(places.clone());
    let script = move |request: &StoreRequest| {
        let place = request.start.map_or(u64::from(request.number), |start| start / (2 * MIB));
        if request.method == method && places.lock().unwrap().remove(&place) { Act::Silence } else { Act::Serve }
    };
    Plan::on(Terms::default()).store(script).start()
}

#[test]
fn stored_parts_are_not_sent_again() {
    let (home, content) = (Home::new(), content(LENGTH));
    let file = home.file("a.bin", &content);
    let points = spread_numbers();
    let stub = silent_at(Method::PUT, &points);
    let arguments = ["upload", &file, "--resume", "--json"];
    for (number, point) in (0..).zip(&points) {
        let upload = spawn_command(stub.command(&home, &arguments));
        stub.wait_for_silence(number + 1);
        end_by_signal(upload, SIGNALS[number % SIGNALS.len()]);
        assert_eq!(unfinished_transfers(&home, "uploads").len(), 1, "interrupted at {point} of {points:?}");
    }
    let finished = stub.run(&home, &arguments);
    assert_eq!(finished.exit, 0, "{} {} at {points:?}", finished.stderr, String::from_utf8_lossy(&finished.stdout));
    let (payload, mut twice) = (stub.payload(), 0);
    for (number, part) in (1..).zip(payload.chunks(usize::try_from(2 * MIB).unwrap())) {
        let bodies = stub.bodies(number);
        assert!(bodies.iter().all(|body| part.starts_with(body)), "part {number} was sent with different bytes");
        twice += bodies.iter().filter(|body| body.len() == part.len()).count() - 1;
    }
    // Up to four concurrent parts lack a response when the process ends.
    assert!(twice <= 4 * points.len(), "{twice} parts were sent again, with interruptions at {points:?}");
    let link = finished.json()["link"].as_str().unwrap().to_owned();
    stub.run(&home, &["download", &link, "-o", "b.bin"]).text();
    assert!(fs::read(home.path().join("b.bin")).unwrap() == content);
}

#[test]
fn completed_ranges_are_not_downloaded_again() {
    let (home, content) = (Home::new(), content(LENGTH));
    let file = home.file("a.bin", &content);
    let points = spread_numbers();
    let stub = silent_at(Method::GET, &points);
    let link = stub.run(&home, &["upload", &file, "-d", "1"]).text();
    let before = stub.store_requests();
    let arguments = ["download", link.trim(), "-o", "b.bin", "--resume", "--json"];
    for number in 0..points.len() {
        let download = spawn_command(stub.command(&home, &arguments));
        stub.wait_for_silence(number + 1);
        end_by_signal(download, SIGNALS[number % SIGNALS.len()]);
    }
    let finished = stub.run(&home, &arguments);
    assert_eq!(finished.exit, 0, "{} {} at {points:?}", finished.stderr, String::from_utf8_lossy(&finished.stdout));
    assert!(fs::read(home.path().join("b.bin")).unwrap() == content, "interrupted at {points:?}");
    assert_eq!(stub.downloads(), 1);
    // Four ranges are requested concurrently: those after the missing range are requested again.
    let (requested, needed) = (stub.store_requests() - before, usize::try_from(SIZE / (2 * MIB)).unwrap() + 1);
    assert!(
        requested <= needed + 5 * points.len(),
        "{requested} ranges were requested, {needed} needed, at {points:?}"
    );
}

#[test]
fn a_failed_resume_keeps_the_unfinished_transfer() {
    let world = World::new();
    let content = content(30 << 20);
    let file = world.home.file("a.bin", &content);
    start_partial_upload(&world, &file, &[]);
    let quick = ["--timeout", "1s", "--json"];
    world.proxy.close_after(Direction::Upstream, 0);
    let finished = world.run(&[&["upload", &file, "--resume"], &quick[..]].concat());
    assert_eq!((finished.exit, &finished.json()["error"]["resumable"]), (10, &true.into()));
    world.proxy.open();
    let link = world.run(&["upload", &file, "--resume"]).text();
    start_partial_download(&world, &link, 20 << 20, SIGNALS[1]);
    world.proxy.close_after(Direction::Downstream, 0);
    let finished = world.run(&[&["download", link.trim(), "-o", "b.bin", "--resume"], &quick[..]].concat());
    assert_eq!((finished.exit, &finished.json()["error"]["resumable"]), (10, &true.into()));
    world.proxy.open();
    // The same transfer ID on another server is a different transfer.
    let elsewhere = link.trim().replace(&world.proxy.url, &world.serving.public);
    let before = unfinished_transfers(&world.home, "downloads");
    assert_eq!(world.run(&["download", &elsewhere, "-o", "c.bin"]).exit, 0);
    assert_eq!(unfinished_transfers(&world.home, "downloads"), before);
    // A download into another directory doesn't use the unfinished file, and removes the file in the end.
    fs::create_dir(world.home.path().join("other")).unwrap();
    world.run(&["download", link.trim(), "-o", "other/b.bin", "--resume"]).text();
    let parts = fs::read_dir(world.home.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(parts.filter(|name| name.starts_with(".sgsend-")).count(), 0);
    assert!(fs::read(world.home.path().join("other/b.bin")).unwrap() == content);
}
