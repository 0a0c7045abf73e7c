//! `sgsend store copy`: services resumed over the copy, interrupted copies, and invalid locations.

mod s3;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{ADMIN_KEY, FinishedCommand, Home, ReservedAddress, ServerProcess, content};

/// Starts both services over `storage`, the public service at the fixed address `listen`.
fn serve(home: &Home, storage: &str, listen: &str) -> ServerProcess {
    home.server().storage(storage).listen(listen).arguments(&["--max-size", "1GiB"]).admin_key().start()
}

fn with_admin_key(command: &mut Command) -> Command {
    let mut keyed = Command::new(command.get_program());
    keyed.args(command.get_args()).env_clear().stdin(Stdio::null());
    keyed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    keyed.current_dir(command.get_current_dir().unwrap()).env("SGSEND_ADMIN_KEY", ADMIN_KEY);
    keyed
}

fn command(home: &Home, serving: &ServerProcess, arguments: &[&str]) -> Command {
    let servers = ["--server", &serving.public, "--admin-server", &serving.admin];
    with_admin_key(&mut home.sgsend(&[&servers[..], arguments].concat()))
}

fn run(home: &Home, serving: &ServerProcess, arguments: &[&str]) -> FinishedCommand {
    FinishedCommand::of(command(home, serving, arguments).output().unwrap())
}

/// Starts a command, and sends `signal` once its progress exceeds `bytes`. Returns whether the command was still
/// running.
fn signal_after_progress(mut command: Command, bytes: u64, signal: &str) -> bool {
    let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let reached = lines.by_ref().map_while(Result::ok).any(|line| {
        serde_json::from_str::<Value>(&line).is_ok_and(|line| line["bytes"].as_u64().is_some_and(|at| at >= bytes))
    });
    if reached {
        let killed = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }
    // Drains stderr, so that a full pipe doesn't block the process.
    lines.for_each(drop);
    !child.wait().unwrap().success()
}

fn records(home: &Home, serving: &ServerProcess, link: &str) -> Vec<Value> {
    let id = link.split_once("/d/").unwrap().1.split('#').next().unwrap();
    let audit = run(home, serving, &["audit", "show", id, "--json"]).json();
    audit["items"].as_array().unwrap_or_else(|| panic!("{audit}")).clone()
}

/// Moves a used service from one storage to another, and checks that users find the same state.
fn check_move(from: &str, to: &str) {
    let home = Home::new();
    let address = ReservedAddress::new();
    let before = serve(&home, from, &address.to_string());
    run(&home, &before, &["token", "create", "test", "--login", "--max-total-bytes", "900MiB"]).text();
    let (small, large) = (home.file("small", b"hello"), home.file("large", &content(20 << 20)));
    let open = run(&home, &before, &["upload", &small]).text();
    let twice = run(&home, &before, &["upload", &large, "-d", "2"]).text();
    run(&home, &before, &["download", &twice, "-o", "first"]).text();
    let gone = run(&home, &before, &["upload", &small]).text();
    run(&home, &before, &["delete", &gone]).text();
    let half = home.file("half", &content(150 << 20));
    let resumed = ["upload", &half, "--resume", "--progress", "json"];
    assert!(signal_after_progress(command(&home, &before, &resumed), 1 << 20, "INT"), "the upload ended too soon");
    let trail = [&open, &twice, &gone].map(|link| records(&home, &before, link));
    before.terminate();

    let sound = home.run(&["store", "check", from, "--json"]);
    assert_eq!(sound.exit, 0, "{}", sound.json());
    let copied = home.run(&["store", "copy", from, to, "--json"]);
    assert_eq!((copied.exit, &copied.json()["ok"]), (0, &true.into()), "{} {}", copied.json(), copied.stderr);
    let counts = copied.json();
    assert_eq!((&counts["payloads"], &counts["pending"]), (&2.into(), &1.into()), "{counts}");
    assert!(counts["bytes"].as_u64().unwrap() > 20 << 20 && counts["bytes"] == counts["bytes_sent"], "{counts}");
    let sound = home.run(&["store", "check", to, "--json"]);
    assert_eq!(sound.exit, 0, "{}", sound.json());
    home.run(&["store", "copy", from, to]).expect_failure(9, "not empty");

    let after = serve(&home, to, &address.to_string());
    for (link, old) in [&open, &twice, &gone].into_iter().zip(trail) {
        let now = records(&home, &after, link);
        assert!(!old.is_empty() && old.iter().all(|record| now.contains(record)), "{old:?} is not in {now:?}");
    }
    run(&home, &after, &["download", &open, "-o", "open"]).text();
    run(&home, &after, &["download", &twice, "-o", "second"]).text();
    assert_eq!(std::fs::read(home.path().join("open")).unwrap(), b"hello");
    assert!(std::fs::read(home.path().join("second")).unwrap() == content(20 << 20));
    for link in [&twice, &gone] {
        run(&home, &after, &["download", link, "-o", "none"]).expect_failure(4, "");
    }
    // The token is valid, interrupted uploads start again, and quota usage is kept.
    let second = run(&home, &after, &resumed).text();
    run(&home, &after, &["download", &second, "-o", "again"]).text();
    assert!(std::fs::read(home.path().join("again")).unwrap() == content(150 << 20));
    after.terminate();
    let sound = home.run(&["store", "check", to, "--json"]);
    assert_eq!(sound.exit, 0, "{}", sound.json());
    // Over a bucket, a counter shows its latest changes only after the shutdown has written them.
    let stats = run(&home, &serve(&home, to, &address.to_string()), &["stats", "--json"]).json()["transfers"].clone();
    assert_eq!(
        (&stats["pending"], &stats["completed"], &stats["deleted"]),
        (&0.into(), &2.into(), &1.into()),
        "{stats}"
    );
}

/// Fills a storage with a few large payloads.
fn fill_storage(home: &Home, storage: &str) {
    let serving = serve(home, storage, "127.0.0.1:0");
    run(home, &serving, &["token", "create", "test", "--login"]).text();
    let file = home.file("large", &content(40 << 20));
    for _ in 0..3 {
        run(home, &serving, &["upload", &file]).text();
    }
    serving.terminate();
}

/// Numbers of sent bytes beyond which a copy of [`filled`] is killed, one after another.
const KILLS: &[u64] = &[0, 1 << 20, 30 << 20, 60 << 20, 90 << 20];

/// Copies while the process is killed repeatedly.
fn killed_again_and_again(from: &str, to: &str, kill_points: &[u64]) {
    let home = Home::new();
    fill_storage(&home, from);
    let mut kills = 0;
    for &beyond in kill_points {
        let copying = home.sgsend(&["store", "copy", from, to, "--progress", "json"]);
        if !signal_after_progress(copying, beyond, "KILL") {
            break;
        }
        let checked = home.run(&["store", "check", to, "--json"]);
        // The kill may arrive after the copy is complete but before the process exits.
        if checked.exit == 0 {
            break;
        }
        assert!(checked.json().to_string().contains("unfinished_copy"), "{}", checked.json());
        kills += 1;
        let served =
            with_admin_key(&mut home.sgsend(&["serve", "all", "--listen", "127.0.0.1:0", "--storage", to])).output();
        FinishedCommand::of(served.unwrap()).expect_failure(1, "incomplete copy");
    }
    let copied = home.run(&["store", "copy", from, to, "--json"]);
    if kills == kill_points.len() {
        assert_eq!(copied.exit, 0, "{}", copied.json());
        let (sent, all) = (copied.json()["bytes_sent"].as_u64().unwrap(), copied.json()["bytes"].as_u64().unwrap());
        assert!(sent < all, "everything was sent again");
    }
    assert!(kills > 0, "the copy was never killed");
    assert_eq!(home.run(&["store", "check", to, "--json"]).json()["ok"], true);
}

#[test]
fn a_service_resumes_in_another_folder() {
    let folders = Home::new();
    let folder = |name: &str| format!("file:{}", folders.path().join(name).display());
    check_move(&folder("from"), &folder("new/to"));
}

#[test]
fn a_killed_copy_resumes() {
    let folders = Home::new();
    let folder = |name: &str| format!("file:{}", folders.path().join(name).display());
    killed_again_and_again(&folder("from"), &folder("to"), KILLS);
}

#[test]
fn a_folder_in_use_is_not_copied() {
    let home = Home::new();
    let folder = |name: &str| format!("file:{}", home.path().join(name).display());
    let (from, to) = (folder("from"), folder("to"));
    let serving = serve(&home, &from, "127.0.0.1:0");
    let finished = home.run(&["store", "copy", &from, &to]);
    finished.expect_failure(9, "in use");
    assert!(finished.stderr.contains("stop the services") && !home.path().join("to").exists());
    serving.terminate();
    home.run(&["store", "copy", &from, &to]).text();
}

#[test]
fn invalid_locations_are_left_unchanged() {
    let home = Home::new();
    let folder = |name: &str| format!("file:{}", home.path().join(name).display());
    let from = folder("from");
    home.run(&["store", "copy", &from, &folder("to")]).expect_failure(9, "storage");
    assert!(!home.path().join("from").exists() && !home.path().join("to").exists());
    serve(&home, &from, "127.0.0.1:0").terminate();
    std::fs::create_dir(home.path().join("photos")).unwrap();
    home.file("photos/1.jpg", b"x");
    home.run(&["store", "copy", &from, &folder("photos")]).expect_failure(9, "not empty");
    assert_eq!(std::fs::read_dir(home.path().join("photos")).unwrap().count(), 1);
    serve(&home, &folder("other"), "127.0.0.1:0").terminate();
    home.run(&["store", "copy", &from, &folder("other")]).expect_failure(9, "not empty");
    home.run(&["store", "copy", &from, &from]).expect_failure(2, "must not overlap");
    home.run(&["store", "copy", &from, &folder("from/below")]).expect_failure(2, "must not overlap");
    for other in ["memory:", "nonsense"] {
        assert_eq!(home.run(&["store", "copy", &from, other]).exit, 2);
        assert_eq!(home.run(&["store", "copy", other, &from]).exit, 2);
    }
}
