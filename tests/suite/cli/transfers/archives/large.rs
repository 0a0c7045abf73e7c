//! A large archive: its list, and one small file of it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sgsend::domain::crypto::sealed::SEGMENT_SIZE;

use super::index::ranges;
use super::{begin, put};
use crate::support::{RecordingProxy, content};

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().unwrap())
}

/// Runs a command; returns its output, its duration and its largest resident memory in KiB.
fn measured(mut command: Command) -> (Vec<u8>, Duration, u64) {
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let (id, mut peak) = (child.id(), 0);
    let mut stdout = child.stdout.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut stdout, &mut bytes).unwrap();
        bytes
    });
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = high.and_then(|high| high.split_whitespace().next()?.parse().ok());
        peak = peak.max(kib.unwrap_or_default());
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    (reading.join().unwrap(), begun.elapsed(), peak)
}

#[test]
fn a_small_file_of_a_large_archive_takes_four_ranges() {
    let files = number("SGSEND_ARCHIVE_FILES", 300);
    let each = number("SGSEND_ARCHIVE_BYTES", 48 << 20) / files;
    let (home, _) = begin();
    let serving = home.serve(&["--max-size", "20GiB"]);
    home.log_in(&serving);
    for file in 0..files {
        let path = format!("{:03}/file-{file:05}", file / 500);
        put(&home, &path, b"");
        File::options().write(true).open(home.path().join("sent").join(path)).unwrap().set_len(each).unwrap();
    }
    let small = format!("{:03}/small", files / 1_000);
    put(&home, &small, &content(4_096));
    let link = home.run_at(&serving, &["upload", "sent", "--downloads", "1"]).text();
    let proxy = RecordingProxy::to(&serving.public);
    let link = link.replace(&*serving.public, &proxy.url);

    let (listed, duration, list_memory) = measured(home.sgsend(&["download", &link, "--list"]));
    let lines = String::from_utf8_lossy(&listed).lines().count() as u64;
    assert_eq!(lines, files + 1 + files.div_ceil(500));
    let list_ranges = ranges(&proxy.recorded()).len();
    let (saved, one, file_memory) = measured(home.sgsend(&["download", &link, "-o", "-", "--only", &small]));
    assert!(saved == content(4_096));
    let all = ranges(&proxy.recorded());
    let asked = &all[list_ranges..];
    let segments: BTreeSet<_> =
        asked.iter().flat_map(|(start, end)| start / SEGMENT_SIZE..=end / SEGMENT_SIZE).collect();
    eprintln!(
        "{files} files of {each} bytes: list {duration:?}, {list_ranges} ranges, {list_memory} KiB; \
         one file {one:?}, {} ranges, {} segments, {file_memory} KiB",
        asked.len(),
        segments.len()
    );
    assert!(list_ranges <= 3 && asked.len() <= 4, "{asked:?}");
    // The first segment, at most two with the file, and those with the index.
    let index = usize::try_from(files).unwrap() * 200 / SEGMENT_SIZE + 2;
    assert!(segments.len() <= 3 + index, "{} segments", segments.len());
    assert_eq!(home.run(&["status", &link, "--json"]).json()["download_count"], 1);
}
