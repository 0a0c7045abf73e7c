//! Commands interrupted by signals.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::Home;

#[test]
fn an_interrupted_non_resumable_upload_leaves_no_state() {
    let home = Home::new();
    let store = format!("file:{}", home.path().join("store").display());
    let serving = home.serve(&["--storage", &store]);
    home.log_in(&serving);
    let file = home.file("long.bin", &vec![3; 90_000_000]);
    for (signal, exit) in [("INT", 130), ("TERM", 143)] {
        let mut upload =
            home.sgsend(&["--server", &serving.public, "upload", &file, "--no-resume-state", "--progress", "json"]);
        let mut upload = upload.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(upload.stderr.take().unwrap()).lines().map_while(Result::ok);
        let moving = lines.find(|line| {
            let progress: Value = serde_json::from_str(line).unwrap_or_default();
            progress["bytes"].as_u64().is_some_and(|bytes| bytes > 2_000_000)
        });
        assert!(moving.is_some(), "the upload printed no progress");
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &upload.id().to_string()]).status().unwrap().success()
        );
        let printed: Vec<_> = lines.collect();
        assert_eq!(upload.wait().unwrap().code(), Some(exit), "{printed:?}");
        assert!(printed.iter().any(|line| line.contains("deleted")), "{printed:?}");
    }
    let overview = home.run_at(&serving, &["stats", "--json"]).json();
    assert_eq!(
        (overview["transfers"]["deleted"].as_u64(), overview["transfers"]["pending"].as_u64()),
        (Some(2), Some(0))
    );
    let state = home.path().join(".local/state/sgsend/uploads");
    assert_eq!(std::fs::read_dir(state).map_or(0, Iterator::count), 0, "keys of an ended upload are still stored");
}
