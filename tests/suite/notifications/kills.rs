//! Servers that are killed between a commit and the delivery of its notification.
//!
//! `SGSEND_NOTIFICATION_KILLS` sets the number of kills; 500 take about ten minutes.

use std::collections::BTreeMap;

use super::receiver::Receiver;
use crate::support::{Home, ReservedAddress};

/// Number of kills by default.
const KILLS: usize = 6;

#[test]
fn every_notification_arrives_although_servers_are_killed_and_always_with_the_same_id() {
    let kills = std::env::var("SGSEND_NOTIFICATION_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let key = home.file("webhook-key", b"a key for the secrets of webhooks in tests");
    let receiver = Receiver::start();
    let address = ReservedAddress::new();
    let start = || {
        let options = ["--webhook", &receiver.url, "--webhook-key-file", &key, "--webhook-allow-private"];
        home.server().storage(&store).listen(&address.to_string()).arguments(&options).start()
    };
    let mut server = start();
    home.log_in(&server);
    let file = home.file("a.txt", b"abc");
    let mut ids = Vec::new();
    for number in 0..kills {
        let link = home.run_at(&server, &["upload", &file]).text();
        let id = link.split("/d/").nth(1).unwrap().split('#').next().unwrap().to_owned();
        home.run_at(&server, &["delete", &link]);
        ids.push(id);
        // Before, during and after the round of deliveries, which comes once a second.
        std::thread::sleep(std::time::Duration::from_millis((number as u64 * 379) % 1_500));
        server.kill();
        server = start();
    }
    let expected = 2 * ids.len();
    let posts = receiver.wait_until(|posts| {
        let distinct: std::collections::HashSet<_> = posts.iter().map(|one| one.header("webhook-id")).collect();
        distinct.len() >= expected
    });
    let mut by_transfer: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for request in &posts {
        let id = request.json()["transfer_id"].as_str().unwrap().to_owned();
        let seen = by_transfer.entry(id).or_default();
        let one = (request.header("webhook-id").to_owned(), request.kind());
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    for id in &ids {
        let kinds: Vec<_> = by_transfer[id].iter().map(|(_, kind)| kind.as_str()).collect();
        assert_eq!(kinds, ["transfer.completed", "transfer.deleted"], "{id}");
    }
    let repeated = posts.len() - expected;
    println!("{kills} kills: {expected} notifications, {repeated} of them were posted again");
    assert!(repeated <= expected, "{repeated} of {expected} notifications were posted again");
}
