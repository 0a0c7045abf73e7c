//! Sending of files, folders and texts: the content arrives unchanged.

use super::{files, open_send_page, send};
use crate::support::{Service, chromium, content};

#[tokio::test]
async fn files_of_boundary_sizes_arrive_unchanged() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        for size in [0, 1, 1_000, 1_048_400, 1_048_520, 1_048_521, 2_097_081, 5 * 1024 * 1024] {
            let file = service.home.file("sent.bin", &content(size));
            browser.choose("#files", &[&file]).await;
            browser.wait_for_text("#chosen", "sent.bin").await;
            let link = send(browser).await;
            assert!(link.starts_with(&format!("{}/d/", service.serving.public)) && link.contains("#v1."), "{link}");
            assert!(service.download(&link, &[]) == content(size), "{size} bytes");
            browser.click("#another").await;
            browser.wait_until_hidden("#sent").await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_files_name_is_kept() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        let name = "Grüße 報告書 🦀.txt";
        browser.choose("#files", &[&service.home.file(name, b"hello")]).await;
        let link = send(browser).await;
        std::fs::create_dir(service.home.path().join("inbox")).unwrap();
        service.home.run(&["download", &link, "-o", "inbox"]).text();
        assert_eq!(std::fs::read(service.home.path().join("inbox").join(name)).unwrap(), b"hello");
    })
    .await;
}

#[tokio::test]
async fn several_files_arrive_as_a_directory() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        let first = service.home.file("first.txt", b"one");
        let second = service.home.file("zweite Datei.bin", &content(2_000_000));
        browser.choose("#files", &[&first, &second]).await;
        browser.wait_for_text("#chosen", "first.txt").await;
        browser.wait_for_text("#chosen", "zweite Datei.bin").await;
        let link = send(browser).await;
        service.home.run(&["download", &link, "-o", "got"]).text();
        let received = files(&service.home.path().join("got"));
        let names: Vec<_> = received.keys().map(|name| name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["first.txt", "zweite Datei.bin"]);
        assert!(received.values().eq([&b"one".to_vec(), &content(2_000_000)]));
    })
    .await;
}

#[tokio::test]
async fn a_folder_arrives_with_its_content() {
    let service = Service::start();
    let folder = service.home.path().join("photos");
    let deep = "a/b".repeat(60);
    std::fs::create_dir_all(folder.join("2026/ümläut")).unwrap();
    std::fs::create_dir_all(folder.join(&deep)).unwrap();
    for name in ["one.txt", "2026/two.txt", "2026/ümläut/three.txt", &format!("{deep}/four.txt")] {
        std::fs::write(folder.join(name), name).unwrap();
    }
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.choose("#folder", &[folder.to_str().unwrap()]).await;
        browser.wait_for_text("#chosen", "photos").await;
        let link = send(browser).await;
        service.home.run(&["download", &link, "-o", "got"]).text();
        let received = service.home.path().join("got");
        let received = if received.join("photos").exists() { received.join("photos") } else { received };
        assert_eq!(files(&received), files(&folder));
    })
    .await;
}

#[tokio::test]
async fn unusual_names_in_a_folder_arrive_unchanged() {
    let service = Service::start();
    let folder = service.home.path().join("odd");
    let boundary_lengths = [99, 100, 101, 155, 156, 255].map(|length| "n".repeat(length));
    let unusual = [
        "-rf",
        ".hidden",
        "...",
        "a b",
        " a",
        "a ",
        "a.",
        "pax-header",
        "path=x",
        "12 path=x",
        "%41%2f",
        "<b>&amp;'\"",
        "a:b",
        "a*?|",
        "re\u{301}sume\u{301}",
        "می\u{200c}خواهم",
        "👨\u{200d}👩\u{200d}👧",
        "con",
        "~",
        "$(id)",
        "\u{feff}a",
    ];
    let long = ["ü".repeat(127), "🦀".repeat(63), "報".repeat(85)];
    std::fs::create_dir(&folder).unwrap();
    for (number, name) in unusual.iter().map(ToString::to_string).chain(boundary_lengths).chain(long).enumerate() {
        // Sizes around the block size of the archive format.
        std::fs::write(folder.join(&name), content([0, 1, 511, 512, 513][number % 5])).unwrap();
        let nested = folder.join(format!("in {number}")).join(&name);
        std::fs::create_dir_all(&nested).unwrap();
        std::fs::write(nested.join(&name), &name).unwrap();
    }
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.choose("#folder", &[folder.to_str().unwrap()]).await;
        browser.wait_for_text("#chosen", "60 files").await;
        let link = send(browser).await;
        service.home.run(&["download", &link, "-o", "got"]).text();
        let received = files(&service.home.path().join("got"));
        assert_eq!(received.len(), 60);
        assert_eq!(received, files(&folder));
    })
    .await;
}

#[tokio::test]
async fn chosen_files_can_be_removed() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.choose("#files", &[&service.home.file("one.txt", b"one"), &service.home.file("two.txt", b"two")]).await;
        browser.click("#chosen button[aria-label$='one.txt']").await;
        browser
            .until("the file to be removed", async || {
                (!browser.text("#chosen").await.contains("one.txt")).then_some(())
            })
            .await;
        let link = send(browser).await;
        assert_eq!(service.download(&link, &[]), b"two");
    })
    .await;
}

#[tokio::test]
async fn a_text_is_sent_without_a_file() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.write_text("Grüße,\nzwei Zeilen").await;
        let link = send(browser).await;
        assert_eq!(String::from_utf8(service.download(&link, &[])).unwrap(), "Grüße,\nzwei Zeilen");
    })
    .await;
}

#[tokio::test]
async fn sending_without_content_is_rejected() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.click("#send").await;
        browser.wait_for_text("#error", "Choose a file or a folder first").await;
        assert!(!browser.is_visible("#sent").await);
    })
    .await;
}

#[tokio::test]
async fn too_large_content_is_rejected_before_sending() {
    let service = Service::with(&["--max-size", "1MiB"]);
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.choose("#files", &[&service.home.file("large.bin", &content(1_048_577))]).await;
        browser.click("#send").await;
        browser.wait_for_text("#error", "at most").await;
        let requests = browser.requests().await;
        assert!(requests.iter().all(|request| request.method == "GET"), "{requests:?}");
        browser.click("#chosen button").await;
        browser.choose("#files", &[&service.home.file("right.bin", &content(1_048_576))]).await;
        let link = send(browser).await;
        assert!(service.download(&link, &[]) == content(1_048_576));
    })
    .await;
}
