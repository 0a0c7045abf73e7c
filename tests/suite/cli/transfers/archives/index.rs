//! Archives by their index: lists, and downloads of single entries.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use sgsend::domain::crypto::envelope::{Archive, Metadata, encode};
use sgsend::domain::crypto::key::LinkKey;
use sgsend::domain::crypto::sealed::{Layout, SEGMENT_SIZE, Sealer};

use super::{Found, begin, put, tree};
use crate::support::stub::{Plan, Terms};
use crate::support::{Home, RecordingProxy, Service, content};

const MIB: u32 = 1 << 20;

/// Creates the directory `sent` with photos, text and a link.
fn fill(home: &Home) {
    put(home, "photos/2026/a.jpg", b"jpeg");
    put(home, "photos/b.jpg", &content(700));
    put(home, "photos/notes.txt", b"notes");
    put(home, "readme.txt", b"read me\n");
    std::os::unix::fs::symlink("readme.txt", home.path().join("sent/link")).unwrap();
}

/// Returns the paths below `folder` of an unpacked download.
fn paths(folder: &std::path::Path) -> Vec<String> {
    tree(folder).into_iter().filter(|(_, found)| !matches!(found, Found::Directory(..))).map(|(path, _)| path).collect()
}

#[test]
fn a_list_names_all_entries_and_counts_with_a_later_download_once() {
    let (home, serving) = begin();
    fill(&home);
    put(&home, "od\u{200b}d \u{202f}name", b"1");
    let link = home.run_at(&serving, &["upload", "sent", "--downloads", "1"]).text();
    let listed = home.run(&["download", &link, "--list", "--json"]).json();
    assert_eq!((&listed["name"], &listed["is_archive"]), (&json!("sent"), &json!(true)));
    let entries: Vec<_> =
        listed["files"].as_array().unwrap().iter().map(|entry| (&entry["path"], &entry["size"])).collect();
    assert!(entries.contains(&(&json!("photos/b.jpg"), &json!(700))), "{entries:?}");
    let kinds = |kind: &str| listed["files"].as_array().unwrap().iter().filter(|entry| entry["kind"] == kind).count();
    assert_eq!((kinds("file"), kinds("directory"), kinds("symlink")), (5, 2, 1));
    let text = home.run(&["download", &link, "--list"]).text();
    assert!(
        text.contains("readme.txt") && text.contains("link -> readme.txt") && text.contains("photos/2026/"),
        "{text}"
    );
    assert!(!text.contains('\u{200b}'), "{text:?}");
    // The limit of one download still allows the download.
    assert_eq!(home.run(&["download", &link, "-o", "inbox"]).text(), "inbox/sent");
    home.run(&["download", &link, "--list"]).expect_failure(4, "download limit");
}

#[test]
fn a_single_file_is_listed_without_a_download() {
    let (home, serving) = begin();
    let file = home.file("report.pdf", &[7; 2_000]);
    let link = home.run_at(&serving, &["upload", &file, "--downloads", "1"]).text();
    let listed = home.run(&["download", &link, "--list", "--json"]).json();
    assert_eq!(listed["is_archive"], json!(false));
    assert_eq!((&listed["files"][0]["path"], &listed["files"][0]["size"]), (&json!("report.pdf"), &json!(2_000)));
    assert!(home.run(&["download", &link, "--list"]).text().contains("report.pdf"));
    assert_eq!(home.run(&["status", &link, "--json"]).json()["download_count"], 0);
    home.run(&["download", &link, "--only", "*.pdf"]).expect_failure(2, "not an archive");
    assert_eq!(home.run(&["status", &link, "--json"]).json()["download_count"], 0);
}

#[test]
fn globs_choose_the_entries_to_save() {
    let (home, serving) = begin();
    fill(&home);
    let link = home.run_at(&serving, &["upload", "sent"]).text();
    for (globs, expected) in [
        (&["photos/*.jpg"][..], &["photos/b.jpg"][..]),
        (&["*.jpg"], &["photos/2026/a.jpg", "photos/b.jpg"]),
        (&["photos"], &["photos/2026/a.jpg", "photos/b.jpg", "photos/notes.txt"]),
        (&["photos/2026/", "link"], &["link", "photos/2026/a.jpg"]),
        (&["{readme,missing}.txt", "photos/notes.txt"], &["photos/notes.txt", "readme.txt"]),
    ] {
        let options: Vec<_> = globs.iter().flat_map(|glob| ["--only", glob]).collect();
        let saved = home.run(&[&["download", &link, "-o", "inbox"], &options[..]].concat()).text();
        assert_eq!(paths(&home.path().join(&saved)), expected, "{globs:?}");
        fs::remove_dir_all(home.path().join(saved)).unwrap();
    }
    let sent = tree(&home.path().join("sent"));
    let saved = home.run(&["download", &link, "-o", "inbox", "--only", "photos"]).text();
    let came = tree(&home.path().join(saved));
    assert!(came.iter().all(|(path, found)| sent[path] == *found), "times, permissions or content differ");
    home.run(&["download", &link, "-o", "inbox", "--only", "photos"]).expect_failure(9, "already exists");
    home.run(&["download", &link, "--only", "*.jpg", "--only", "*.gif"]).expect_failure(3, "matches *.gif");
    home.run(&["download", &link, "--only", "["]).expect_failure(2, "not a valid glob");
    assert!(
        fs::read_dir(home.path()).unwrap().all(|entry| !entry
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .starts_with(".sgsend-"))
    );
}

#[test]
fn a_single_file_goes_to_stdout_as_itself_and_several_as_a_tar() {
    let (home, serving) = begin();
    fill(&home);
    let link = home.run_at(&serving, &["upload", "sent"]).text();
    assert_eq!(home.run(&["download", &link, "-o", "-", "--only", "readme.txt"]).stdout, b"read me\n");
    let names = |bytes: &[u8]| -> Vec<String> {
        let mut archive = tar::Archive::new(bytes);
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
    };
    let piped = home.run(&["download", &link, "-o", "-", "--only", "*.txt"]).stdout;
    assert_eq!(names(&piped), ["photos/notes.txt", "readme.txt"]);
    let saved = home.run(&["download", &link, "-o", "inbox", "--no-extract", "--only", "*.txt"]).text();
    assert_eq!((saved.as_str(), fs::read(home.path().join(&saved)).unwrap() == piped), ("inbox/sent.tar", true));
}

/// Returns the ranges that `recorded` requests ask for, as inclusive byte positions.
pub(super) fn ranges(recorded: &[u8]) -> Vec<(usize, usize)> {
    let text = String::from_utf8_lossy(recorded).to_ascii_lowercase();
    let numbers = text.match_indices("range: bytes=").filter_map(|(at, prefix)| {
        let line = text[at + prefix.len()..].lines().next()?;
        let (start, end) = line.trim().split_once('-')?;
        Some((start.parse().ok()?, end.parse().ok()?))
    });
    numbers.collect()
}

#[test]
fn one_file_takes_its_segments_the_index_and_the_first_segment() {
    let (home, _) = begin();
    let serving = home.serve(&[]);
    home.log_in(&serving);
    for number in 0..40 {
        put(&home, &format!("{number:02}.bin"), &content(MIB));
    }
    put(&home, "20-small", &content(4_096));
    let link = home.run_at(&serving, &["upload", "sent", "--downloads", "1"]).text();
    let proxy = RecordingProxy::to(&serving.public);
    let link = link.replace(&*serving.public, &proxy.url);
    home.run(&["download", &link, "--list", "--json"]).json();
    let listed = ranges(&proxy.recorded());
    assert_eq!((listed.len(), listed[0]), (2, (0, SEGMENT_SIZE - 1)), "{listed:?}");
    let saved = home.run(&["download", &link, "-o", "-", "--only", "20-small"]).stdout;
    assert!(saved == content(4_096));
    let all = ranges(&proxy.recorded());
    let asked = &all[listed.len()..];
    assert!(asked.len() <= 4, "{asked:?}");
    let segments: BTreeSet<_> =
        asked.iter().flat_map(|(start, end)| start / SEGMENT_SIZE..=end / SEGMENT_SIZE).collect();
    // The first segment, one or two with the file, one with the index.
    assert!(
        segments.len() <= 4 && asked.iter().map(|(start, end)| end + 1 - start).sum::<usize>() <= 4 * SEGMENT_SIZE,
        "{asked:?}"
    );
    let status = home.run(&["status", &link, "--json"]).json();
    assert_eq!(status["download_count"], 1);
}

#[test]
fn entries_come_from_the_payload_store_in_one_download() {
    let home = Home::new();
    let stub = Plan::on(Terms::default()).start();
    for number in 0..12 {
        put(&home, &format!("{number:02}.bin"), &content(MIB + number));
    }
    let uploaded = stub.run(&home, &["upload", "sent", "--json"]).json();
    let link = uploaded["link"].as_str().unwrap().to_owned();
    let (downloads, requests) = (stub.downloads(), stub.store_requests());
    let saved =
        stub.run(&home, &["download", &link, "--only", "03.bin", "--only", "09.bin", "--json", "-o", "came"]).json();
    assert_eq!((saved["mode"].as_str(), saved["files"].as_array().unwrap().len()), (Some("presigned"), 2));
    assert!(fs::read(home.path().join("came/09.bin")).unwrap() == content(MIB + 9));
    assert_eq!((stub.downloads() - downloads, stub.calls("payload/download-bytes")), (1, 0));
    // The first segment, the index, and one or two requests a file.
    assert!(stub.store_requests() - requests <= 6, "{}", stub.store_requests() - requests);
}

/// Sends a tar with the index `entries` for it, and runs `sgsend` with the link.
async fn with_index(entries: Value, arguments: &[&str]) -> (i32, String) {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in [("a.txt", "first"), ("b.txt", "other")] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let mut content = tar.into_inner().unwrap();
    let json = if let Value::String(text) = &entries { text.clone() } else { entries.to_string() };
    content.extend_from_slice(b"SGINDEX\0");
    content.extend_from_slice(json.as_bytes());
    content.extend_from_slice(&(json.len() as u64).to_be_bytes());
    let metadata = Metadata {
        filename: "folder".to_owned(),
        size: content.len() as u64,
        content_type: None,
        modified_ms: None,
        archive: Some(Archive::Tar),
        mode: None,
        signed: false,
    };
    let plaintext = [encode(&metadata).unwrap().as_slice(), &content].concat();
    assert_eq!(Layout::of_plaintext(plaintext.len() as u64).unwrap().last_index(), 0);
    let link_key = LinkKey::random();
    let mut segment = Sealer::buffer(0);
    segment.extend_from_slice(&plaintext);
    Sealer::new(&link_key.unlock(None).unwrap().into_own().unwrap()).seal(0, true, &mut segment);
    let id = sender.create(segment.len(), "").await;
    let path = |rest: &str| format!("/transfers/id/{id}/{rest}");
    assert_eq!(sender.post(&path("payload/upload-bytes")).bytes(&segment).send().await.status, 200);
    assert_eq!(sender.post(&path("upload/complete")).send().await.status, 200);
    let link = format!("http://{}/d/{id}#{}", service.public, link_key.to_text().as_str());
    let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let run = move || {
        let home = Home::new();
        let mut all = vec!["download", &link];
        all.extend(arguments.iter().map(String::as_str));
        let finished = home.run(&all);
        let left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| name == ".local"), "{left:?}");
        (finished.exit, format!("{}{}", String::from_utf8_lossy(&finished.stdout), finished.stderr))
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn entry(path: &str, offset: u64, size: u64) -> Value {
    json!({
        "path": path, "kind": "file", "offset": offset, "data": offset + 512, "size": size, "mode": 420, "modified_ms": 0
    })
}

#[tokio::test]
async fn an_index_that_agrees_with_the_tar_is_used() {
    let index = json!([entry("a.txt", 0, 5), entry("b.txt", 1_024, 5)]);
    let (exit, output) = Box::pin(with_index(index, &["--only", "b.txt", "-o", "-"])).await;
    assert_eq!((exit, output.as_str()), (0, "other"));
}

#[tokio::test]
async fn an_index_that_lies_is_caught_by_the_tar_headers() {
    for lie in [
        // Another name for the second file, its content under the name of the first, a wrong size, a wrong offset.
        json!([entry("invoice.pdf", 1_024, 5)]),
        json!([entry("a.txt", 1_024, 5)]),
        json!([entry("a.txt", 0, 4)]),
        json!([entry("a.txt", 512, 5)]),
        json!([{ "path": "a.txt", "kind": "directory", "offset": 0, "data": 512, "size": 0, "mode": 420, "modified_ms": 0 }]),
        json!([{ "path": "a.txt", "kind": "file", "offset": 0, "data": 1_024, "size": 5, "mode": 420, "modified_ms": 0 }]),
    ] {
        let (exit, output) = Box::pin(with_index(lie.clone(), &["--only", "*", "-o", "-"])).await;
        assert_eq!(exit, 6, "{lie}: {output}");
        assert!(output.contains("the archive's index is wrong about"), "{lie}: {output}");
        assert!(!output.contains("first") && !output.contains("other"), "{lie}: content was written");
        let (exit, output) = Box::pin(with_index(lie, &["--only", "*"])).await;
        assert_eq!(exit, 6, "{output}");
    }
}

#[tokio::test]
async fn an_unsafe_index_is_rejected_as_a_whole() {
    for (index, message) in [
        (json!([entry("../a.txt", 0, 5)]), "unsafe entry"),
        (json!([entry("/etc/passwd", 0, 5)]), "unsafe entry"),
        (json!([entry("a\u{1b}[2J", 0, 5)]), "unsafe entry"),
        (json!([entry("a.txt", 0, 5), entry("a.txt", 1_024, 5)]), "twice"),
        (json!([entry("a.txt", 0, 600), entry("b.txt", 1_024, 5)]), "over another entry"),
        (json!([entry("a.txt", 1 << 40, 5)]), "outside the archive"),
        (json!("[{}]"), "not valid JSON"),
    ] {
        for option in [&["--list"][..], &["--only", "*"]] {
            let (exit, output) = Box::pin(with_index(index.clone(), option)).await;
            assert_eq!(exit, 6, "{index}: {output}");
            assert!(output.contains(message) && !output.contains('\u{1b}'), "{index}: {output}");
        }
    }
}
