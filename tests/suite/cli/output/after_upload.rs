//! Summary at the sender's terminal after an upload.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Home, Terminal};

/// A zone that no system has, half an hour off.
const ZONE: (&str, &str) = ("TZ", "XYZ-5:30");

#[test]
fn name_size_link_recipient_and_limits_are_shown() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("report.pdf", &vec![1; 3_000]);
    let upload = |options: &[&str]| {
        let arguments = [&["upload", &file, "--server", &serving.public], options].concat();
        let (exit, output) = Terminal::start(&home, &arguments, &[ZONE]).end();
        assert_eq!(exit, 0, "{output}");
        output
    };
    let output = upload(&["--downloads", "3"]);
    let at = |text: &str| output.find(text).unwrap_or_else(|| panic!("{text:?} is not in {output}"));
    let link = output.lines().find(|line| line.contains("#v1.")).unwrap();
    let link = link[link.find("http").unwrap()..].trim();
    let places = [
        at("uploaded report.pdf: 2.9 KiB"),
        at(link),
        at(&format!("recipients open the link in a browser, or run: sgsend download '{link}'")),
        at("expires in 7 days ("),
        at(" XYZ), download limit: 3"),
        at("delete with: sgsend "),
    ];
    assert!(places.is_sorted(), "{output}");
    assert!(!output.contains("stored by the server"), "{output}");
    for option in ["--transparency", "--verbose"] {
        assert!(upload(&[option]).contains("stored by the server about you:"), "{option}");
    }
    let json = home.run_at(&serving, &["upload", &file, "--json"]).json();
    assert!(json["transparency"]["stored"][0]["code"] == "time", "{json}");
    assert_eq!(json["skipped"], serde_json::json!([]));

    let piped = home.run_at(&serving, &["upload", &file]);
    assert_eq!((piped.text().lines().count(), piped.stderr.as_str()), (1, ""));
    let output = upload(&["--separate-key"]);
    assert!(output.contains("send link and key over separate channels"), "{output}");
    assert_eq!(output.matches("v1.").count(), 1, "the key was printed twice: {output}");
}

#[test]
fn skipped_entries_are_counted() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    fs::create_dir(home.path().join("d")).unwrap();
    home.file("d/file", b"x");
    for name in ["one", "two"] {
        symlink("/etc/passwd", home.path().join("d").join(name)).unwrap();
    }
    let arguments = ["upload", "d", "--skip-unsendable", "--server", &serving.public];
    let (_, output) = Terminal::start(&home, &arguments, &[]).end();
    assert!(output.contains("uploaded d: 1 file, ") && output.contains("; 2 skipped"), "{output}");
}

#[test]
fn times_are_local_and_json_is_utc() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let link = home.run_at(&serving, &["upload", &home.file("a.txt", b"x")]).text();
    let run = |arguments: &[&str]| {
        let mut command =
            home.sgsend(&[&["--server", &serving.public, "--admin-server", &serving.admin], arguments].concat());
        command.envs(serving.admin_key().map(|key| ("SGSEND_ADMIN_KEY", key))).env(ZONE.0, ZONE.1);
        crate::support::FinishedCommand::of(command.output().unwrap()).text()
    };
    let status = run(&["status", &link]);
    assert!(status.contains(" XYZ (in 7 days)") && (status.contains("(now)") || status.contains("ago)")), "{status}");
    for arguments in [&["history"][..], &["audit", "show", &link], &["stats"]] {
        assert!(run(arguments).contains(" XYZ"), "{arguments:?}");
    }
    assert!(run(&["history"]).contains("expires in 7 days"));
    assert!(run(&["token", "list"]).contains("used "));
    let json: serde_json::Value = serde_json::from_str(&run(&["status", &link, "--json"])).unwrap();
    assert!(json["expires_at"].is_u64(), "{json}");
}

#[test]
fn tables_fit_a_narrow_terminal() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let name = format!("{}.txt", "name".repeat(12));
    let link = home.run_at(&serving, &["upload", &home.file(&name, b"x")]).text();
    for columns in [60, 80, 120] {
        let (exit, output) = Terminal::of_width(columns, &home, &["history"], &[]).end();
        assert!(exit == 0 && output.lines().count() >= 2, "{output}");
        assert!(output.lines().all(|line| line.trim_end().chars().count() <= columns.into()), "{columns}: {output}");
        let output: String = output.split_whitespace().collect();
        let tail = &link.split('#').next().unwrap()[link.find("/d/").unwrap() + 20..];
        assert!(columns < 120 || output.contains(tail), "{output}");
    }
}
