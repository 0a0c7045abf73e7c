//! Name, size and message that a recipient sees before a download is counted.

use sgsend::domain::crypto::envelope::{Metadata, encode};
use sgsend::domain::crypto::info::ContentInfo;
use sgsend::domain::crypto::key::LinkKey;
use sgsend::domain::crypto::sealed::Sealer;

use crate::support::{Home, Service, Terminal};

#[test]
fn name_size_and_message_are_known_before_a_download_is_counted() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("report.txt", &[7; 5000]);
    for options in [&["--downloads", "1"][..], &[]] {
        let arguments = [&["upload", &file, "--message", "see page 3\nand 4"], options].concat();
        let link = home.run_at(&serving, &arguments).text();
        let status = home.run(&["status", &link, "--json"]).json();
        assert_eq!(status["content"]["filename"], "report.txt");
        assert_eq!(status["content"]["size"], 5000);
        assert_eq!(status["content"]["message"], "see page 3\nand 4");
        assert!(status["info"].is_null(), "{status}");
        let shown = home.run(&["status", &link]).text();
        assert!(shown.contains("content    report.txt: 4.9 KiB\n"), "{shown}");
        assert!(shown.contains("message    see page 3\n  and 4"), "{shown}");
        let (id, key) = link.split_once('#').unwrap();
        assert!(home.run(&["status", id, "--json"]).json()["content"].is_null());
        if options.is_empty() {
            continue;
        }
        // Another key opens nothing, and the rest of the status is shown.
        let other = format!("{id}#{}", LinkKey::random().to_text().as_str());
        let finished = home.run(&["status", &other]);
        assert!(finished.stderr.contains("the name of the content is not shown"), "{}", finished.stderr);
        assert!(finished.text().contains("status     ready"));
        assert_eq!(home.run(&["status", &link, "--json"]).json()["download_count"], 0, "{key}");
    }
}

#[test]
fn a_terminal_shows_the_message_of_a_download() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let folder = home.path().join("photos");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.jpg"), "a").unwrap();
    std::fs::write(folder.join("b.jpg"), "bb").unwrap();
    let sent = ["upload", folder.to_str().unwrap(), "--message", "from\u{1b}[2J Ada", "--downloads", "2"];
    let link = home.run_at(&serving, &sent).text();
    let mut terminal =
        Terminal::start(&home, &["download", &link, "-o", home.path().to_str().unwrap(), "--rename"], &[]);
    terminal.wait_for("photos: 2 files, ");
    terminal.wait_for("message of the sender: from");
    terminal.wait_for("2 files, ");
    let (status, seen) = terminal.end();
    assert_eq!(status, 0, "{seen}");
    assert!(!seen.contains("\u{1b}[2J"), "{seen:?}");
    let status = home.run(&["status", &link, "--json"]).json();
    assert_eq!(status["content"]["archive"], serde_json::json!({ "files": 2, "bytes": 3 }));
}

#[test]
fn a_message_has_a_limit() {
    let home = Home::new();
    let serving = home.serve_any(&[]);
    home.log_in(&serving);
    let file = home.file("a", b"a");
    let upload = |message: &str| home.run_at(&serving, &["upload", &file, "--message", message]);
    upload(&"ä".repeat(2_000)).text();
    upload(&"ä".repeat(2_001)).expect_failure(2, "more than 2000 characters");
    upload("").expect_failure(2, "");
}

/// Announces another name and size than it sends.
///
/// The content wins, and the recipient learns of the difference.
#[tokio::test]
async fn content_that_differs_from_its_announcement_causes_a_warning() {
    let service = Service::any().start().await;
    let sender = service.sender().await;
    for (announced, content) in [("invoice.pdf", "%PDF"), ("invoice.pdf.exe", "longer than announced")] {
        let metadata = Metadata {
            filename: "invoice.pdf.exe".to_owned(),
            size: content.len() as u64,
            content_type: None,
            modified_ms: None,
            archive: None,
            mode: None,
            signed: false,
        };
        let link_key = LinkKey::random();
        let key = link_key.unlock(None).unwrap().into_own().unwrap();
        let mut segment = Sealer::buffer(0);
        segment.extend_from_slice(&[encode(&metadata).unwrap().as_slice(), content.as_bytes()].concat());
        Sealer::new(&key).seal(0, true, &mut segment);
        let info = ContentInfo { filename: announced.to_owned(), size: 4, ..ContentInfo::of(&metadata, None, None) }
            .seal(&key);
        let id = sender.create(segment.len(), "").await;
        let path = |rest: &str| format!("/transfers/id/{id}/{rest}");
        assert_eq!(sender.post(&path("payload/upload-bytes")).bytes(&segment).send().await.status, 200);
        let body = format!(r#"{{"info":"{}"}}"#, info.as_str());
        assert_eq!(sender.post(&path("upload/complete")).json(&body).send().await.status, 200);

        let link = format!("http://{}/d/{id}#{}", service.public, link_key.to_text().as_str());
        let saved = tokio::task::spawn_blocking(move || {
            let home = Home::new();
            let finished = home.run(&["download", &link, "-o", home.path().to_str().unwrap()]);
            let warning = "the sender announced other content than was sent: invoice.pdf";
            assert!(finished.stderr.contains(warning), "{}", finished.stderr);
            finished.text();
            std::fs::read(home.path().join("invoice.pdf.exe")).unwrap()
        });
        assert_eq!(saved.await.unwrap(), content.as_bytes());
    }
}
