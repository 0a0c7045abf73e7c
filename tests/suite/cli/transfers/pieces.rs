//! Uploads through the service in pieces, behind proxies that limit and buffer request bodies.

use serde_json::Value;

use crate::support::{BufferingProxy, FinishedCommand, Home, ServerProcess, content};

const MIB: u64 = 1 << 20;

/// A service, and a sender with its token.
struct Fixture {
    home: Home,
    serving: ServerProcess,
    token: String,
}

impl Fixture {
    fn new(options: &[&str]) -> Self {
        let home = Home::new();
        let store = format!("file:{}", home.path().join("store").display());
        let serving = home.serve(&[&["--storage", &store], options].concat());
        let token = home.run_at(&serving, &["token", "create", "test"]).text();
        Self { home, serving, token }
    }

    fn upload(&self, proxy: &BufferingProxy, options: &[&str]) -> FinishedCommand {
        let mut command = self.home.sgsend(&[&["--server", &proxy.url, "upload"], options].concat());
        FinishedCommand::of(command.env("SGSEND_TOKEN", &self.token).output().unwrap())
    }
}

/// Returns the actions and requests of an upload through the service, from the transfer's audit trail.
fn recorded_uploads(home: &Home, serving: &ServerProcess, link: &str) -> Vec<(Value, Value)> {
    let id = link.split_once("/d/").unwrap().1.split('#').next().unwrap();
    let trail = home.run_at(serving, &["audit", "show", id, "--json"]).json();
    let items = trail["items"].as_array().unwrap();
    let uploads = items.iter().filter(|item| item["action"] == "payload.upload" && item["outcome"] == "done");
    let request_of = |action: &Value| {
        let request = items.iter().find(|item| item["type"] == "request" && item["request_id"] == action["request_id"]);
        request.unwrap().clone()
    };
    uploads.map(|action| (action.clone(), request_of(action))).collect()
}

#[test]
fn any_body_limit_of_at_least_1_mib_suffices() {
    let fixture = Fixture::new(&[]);
    let (home, serving) = (&fixture.home, &fixture.serving);
    let content = content((20 << 20) + 12_345);
    let file = home.file("large", &content);
    for (limit, largest) in [(16 * MIB, 8), (8 * MIB, 8), (8 * MIB - 1, 4), (3 * MIB, 2), (MIB, 1)] {
        let proxy = BufferingProxy::to(&serving.public, limit, 0);
        let sent = fixture.upload(&proxy, &[&file, "--no-resume-state"]).text();
        let link = sent.trim();
        home.run(&["download", link, "-o", "back", "--overwrite"]).text();
        assert!(std::fs::read(home.path().join("back")).unwrap() == content);
        let uploads = proxy.uploads();
        let (done, mut rejected): (Vec<_>, Vec<_>) = uploads.iter().partition(|(_, status)| *status == 200);
        assert_eq!(done.iter().map(|(size, _)| *size).max().unwrap(), largest * MIB, "{uploads:?}");
        // The size that passes is remembered. A response that the proxy's reset has overtaken is lost, so its piece is
        // sent again.
        rejected.dedup();
        assert!(rejected.len() <= 3 && rejected.iter().all(|(_, status)| *status == 413), "{uploads:?}");
        let records = recorded_uploads(home, serving, link);
        let [(action, request)] = &records[..] else { panic!("{records:?}") };
        assert_eq!((&action["pieces"], &request["pieces"]), (&done.len().into(), &done.len().into()));
        assert_eq!(request["bytes_in"], done.iter().map(|(size, _)| *size).sum::<u64>());
    }
}

#[test]
fn a_body_limit_below_1_mib_names_the_proxy() {
    let fixture = Fixture::new(&[]);
    let (home, serving) = (&fixture.home, &fixture.serving);
    let proxy = BufferingProxy::to(&serving.public, MIB - 1, 0);
    let file = home.file("large", &content(9 << 20));
    let finished = fixture.upload(&proxy, &[&file]);
    finished.expect_failure(7, "a proxy in front of");
    assert!(finished.stderr.contains("client_max_body_size"), "{}", finished.stderr);
    let stats = home.run_at(serving, &["stats", "--json"]).json();
    assert_eq!((&stats["transfers"]["pending"], &stats["transfers"]["deleted"]), (&0.into(), &1.into()));
    // A small file still passes.
    let small = home.file("small", &content(1 << 19));
    fixture.upload(&proxy, &[&small]).text();
}

#[test]
fn a_lost_connection_costs_one_piece() {
    let fixture = Fixture::new(&[]);
    let (home, serving) = (&fixture.home, &fixture.serving);
    let content = content(20 << 20);
    let file = home.file("large", &content);
    for losses in 1..=3 {
        let proxy = BufferingProxy::to(&serving.public, 100 * MIB, losses);
        let link = fixture.upload(&proxy, &[&file, "--no-resume-state"]).text();
        home.run(&["download", link.trim(), "-o", "back", "--overwrite"]).text();
        assert!(std::fs::read(home.path().join("back")).unwrap() == content);
        let uploads = proxy.uploads();
        assert_eq!(uploads.iter().filter(|(_, status)| *status == 0).count(), losses as usize, "{uploads:?}");
        let arrived: u64 = uploads.iter().filter(|(_, status)| *status == 200).map(|(size, _)| size).sum();
        // The payload is a little larger than its content; no piece arrived twice.
        assert!(arrived < (21 << 20), "{uploads:?}");
        let largest_after = uploads.last().unwrap().0.max(uploads[uploads.len() - 2].0);
        assert!(losses < 2 || largest_after <= 4 * MIB, "the pieces did not become smaller: {uploads:?}");
    }
}

#[test]
fn pieces_do_not_use_up_the_rate_limit() {
    let fixture = Fixture::new(&["--rate-limit", "1/s:12"]);
    let (home, serving) = (&fixture.home, &fixture.serving);
    let file = home.file("large", &content(40 << 20));
    // Forty pieces of 1 MiB.
    let proxy = BufferingProxy::to(&serving.public, MIB, 0);
    fixture.upload(&proxy, &[&file, "--timeout", "20s"]).text();
    let statuses: Vec<_> = proxy.uploads().iter().map(|(_, status)| *status).collect();
    assert!(statuses.len() > 40 && !statuses.contains(&429), "{statuses:?}");
}
