//! Files sent from Chromium, downloaded with the command line.

use std::path::Path;

use serde_json::json;

use crate::support::{Browser, Service, chromium, content};

/// Opens the page and fills in a token.
async fn begin(browser: &Browser, service: &Service) {
    browser.goto(&service.page()).await;
    browser.fill("#token", &service.token).await;
}

/// Sends the chosen content; returns the link.
async fn sent(browser: &Browser) -> String {
    browser.click("#send").await;
    browser.visible("#sent").await;
    browser.value("#link").await
}

#[tokio::test]
async fn files_of_every_size_arrive_byte_for_byte() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        for size in [0, 1, 1_000, 1_048_400, 1_048_520, 1_048_521, 2_097_081, 5 * 1024 * 1024] {
            let file = service.home.file("sent.bin", &content(size));
            browser.choose("#files", &[&file]).await;
            browser.says("#chosen", "sent.bin").await;
            let link = sent(browser).await;
            assert!(link.starts_with(&format!("{}/d/", service.serving.public)) && link.contains("#v1."), "{link}");
            assert!(service.download(&link, &[]) == content(size), "{size} bytes");
            browser.click("#another").await;
            browser.hidden("#sent").await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_files_name_is_kept() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        let name = "Grüße 報告書 🦀.txt";
        browser.choose("#files", &[&service.home.file(name, b"hello")]).await;
        let link = sent(browser).await;
        std::fs::create_dir(service.home.path().join("inbox")).unwrap();
        service.home.run(&["download", &link, "-o", "inbox"]).text();
        assert_eq!(std::fs::read(service.home.path().join("inbox").join(name)).unwrap(), b"hello");
    })
    .await;
}

#[tokio::test]
async fn the_link_is_copied_or_selected_for_copying() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.fill("#text", "hello").await;
        let link = sent(browser).await;
        browser
            .tell("Browser.grantPermissions", json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}))
            .await;
        browser.click("#copy-link").await;
        browser.says("#outcome", "The link is in the clipboard.").await;
        assert_eq!(browser.script("return navigator.clipboard.readText()", json!([])).await, json!(link));

        browser.script("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))", json!([])).await;
        browser.click("#copy-link").await;
        browser.says("#error", "The link is selected: copy it by hand.").await;
        let marked = "const field = document.getElementById('link'); \
                      return field.value.slice(field.selectionStart, field.selectionEnd)";
        assert_eq!(browser.script(marked, json!([])).await, json!(link));
    })
    .await;
}

/// Returns all files below a folder, by relative path.
pub(crate) fn files(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap).filter(|entry| entry.path().is_file());
    let named = |entry: &walkdir::DirEntry| entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| (named(&entry), std::fs::read(entry.path()).unwrap())).collect()
}

#[tokio::test]
async fn several_files_arrive_as_a_directory() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        let first = service.home.file("first.txt", b"one");
        let second = service.home.file("zweite Datei.bin", &content(2_000_000));
        browser.choose("#files", &[&first, &second]).await;
        browser.says("#chosen", "first.txt").await;
        browser.says("#chosen", "zweite Datei.bin").await;
        let link = sent(browser).await;
        service.home.run(&["download", &link, "-o", "got"]).text();
        let got = files(&service.home.path().join("got"));
        let names: Vec<_> = got.keys().map(|name| name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["first.txt", "zweite Datei.bin"]);
        assert!(got.values().eq([&b"one".to_vec(), &content(2_000_000)]));
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
        begin(browser, &service).await;
        browser.choose("#folder", &[folder.to_str().unwrap()]).await;
        browser.says("#chosen", "photos").await;
        let link = sent(browser).await;
        service.home.run(&["download", &link, "-o", "got"]).text();
        let got = service.home.path().join("got");
        let got = if got.join("photos").exists() { got.join("photos") } else { got };
        assert_eq!(files(&got), files(&folder));
    })
    .await;
}

#[tokio::test]
async fn odd_names_in_a_folder_arrive_as_they_are() {
    let service = Service::start();
    let folder = service.home.path().join("odd");
    let at_the_limits = [99, 100, 101, 155, 156, 255].map(|length| "n".repeat(length));
    let odd = [
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
    for (number, name) in odd.iter().map(ToString::to_string).chain(at_the_limits).chain(long).enumerate() {
        // Sizes around the block size of the archive format.
        std::fs::write(folder.join(&name), content([0, 1, 511, 512, 513][number % 5])).unwrap();
        let below = folder.join(format!("in {number}")).join(&name);
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join(&name), &name).unwrap();
    }
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.choose("#folder", &[folder.to_str().unwrap()]).await;
        browser.says("#chosen", "60 files").await;
        let link = sent(browser).await;
        service.home.run(&["download", &link, "-o", "got"]).text();
        let got = files(&service.home.path().join("got"));
        assert_eq!(got.len(), 60);
        assert_eq!(got, files(&folder));
    })
    .await;
}

#[tokio::test]
async fn chosen_files_can_be_removed() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.choose("#files", &[&service.home.file("one.txt", b"one"), &service.home.file("two.txt", b"two")]).await;
        browser.click("#chosen button[aria-label$='one.txt']").await;
        browser
            .until("the file to be removed", async || {
                (!browser.text("#chosen").await.contains("one.txt")).then_some(())
            })
            .await;
        let link = sent(browser).await;
        assert_eq!(service.download(&link, &[]), b"two");
    })
    .await;
}

#[tokio::test]
async fn a_text_is_sent_without_a_file() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.fill("#text", "Grüße,\nzwei Zeilen").await;
        let link = sent(browser).await;
        assert_eq!(String::from_utf8(service.download(&link, &[])).unwrap(), "Grüße,\nzwei Zeilen");
    })
    .await;
}

#[tokio::test]
async fn sending_without_content_is_refused() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.click("#send").await;
        browser.says("#error", "nothing to send").await;
        assert!(!browser.shows("#sent").await);
    })
    .await;
}

#[tokio::test]
async fn a_protected_transfer_needs_its_passphrase() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.fill("#text", "hello").await;
        browser.fill("#passphrase", "cafe\u{301} ☃").await;
        let link = sent(browser).await;
        assert!(link.contains("#v1p."), "{link}");
        let (right, wrong) = (service.home.file("right", "café ☃\n".as_bytes()), service.home.file("wrong", b"tea"));
        service.home.run(&["download", &link, "-o", "-", "--passphrase-file", &wrong]).failed(6, "passphrase");
        assert_eq!(service.download(&link, &["--passphrase-file", &right]), b"hello");
    })
    .await;
}

#[tokio::test]
async fn chosen_limits_are_applied() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.fill("#text", "hello").await;
        browser.select("#expires", "86400").await;
        browser.fill("#downloads", "1").await;
        let link = sent(browser).await;
        let status = service.status(&link).await;
        let lifetime = status["expires_at"].as_u64().unwrap() - status["created_at"].as_u64().unwrap();
        assert_eq!((lifetime, status["max_downloads"].as_u64()), (86_400_000, Some(1)));
        assert_eq!(status["access_proof"], true, "the ID alone would permit downloads");
        assert_eq!(service.download(&link, &[]), b"hello");
        service.home.run(&["download", &link, "-o", "-"]).failed(4, "limit");
    })
    .await;
}

#[tokio::test]
async fn link_and_key_are_shown_separately_on_request() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.fill("#text", "hello").await;
        browser.click("label:has(#apart)").await;
        let link = sent(browser).await;
        let key = browser.value("#link-key").await;
        assert!(!link.contains('#') && key.starts_with("v1."), "{link} {key}");
        let page = browser.script("return document.body.innerText", json!(null)).await;
        assert!(!page.as_str().unwrap().contains(&format!("{link}#")), "the page contains the complete link");
        assert_eq!(service.download(&link, &["--key", &key]), b"hello");
    })
    .await;
}

#[tokio::test]
async fn invalid_tokens_report_the_reason() {
    let service = Service::start();
    let tokens = service.run(&["--json", "token", "create", "revoked"]);
    let revoked = tokens.json();
    service.run(&["token", "revoke", revoked["token_id"].as_str().unwrap()]).text();
    let unknown = format!("sgs_0123456789abcdef_{}", "0".repeat(64));
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.fill("#text", "hello").await;
        for (token, words) in [
            (unknown.as_str(), "does not know this sender token"),
            ("not a token", "does not know this sender token"),
            (revoked["token"].as_str().unwrap(), "was revoked"),
        ] {
            browser.fill("#token", token).await;
            browser.click("#send").await;
            browser.says("#error", words).await;
            assert!(browser.shows("#send-form").await && !browser.shows("#sent").await, "{token}");
        }
        // The form still contains the content.
        browser.fill("#token", &service.token).await;
        let link = sent(browser).await;
        assert_eq!(service.download(&link, &[]), b"hello");
    })
    .await;
}

#[tokio::test]
async fn too_large_content_is_refused_before_sending() {
    let service = Service::with(&["--max-size", "1MiB"]);
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.choose("#files", &[&service.home.file("large.bin", &content(1_048_577))]).await;
        browser.click("#send").await;
        browser.says("#error", "at most").await;
        let asked = browser.sent().await;
        assert!(asked.iter().all(|request| request.method == "GET"), "{asked:?}");
        browser.click("#chosen button").await;
        browser.choose("#files", &[&service.home.file("right.bin", &content(1_048_576))]).await;
        let link = sent(browser).await;
        assert!(service.download(&link, &[]) == content(1_048_576));
    })
    .await;
}

#[tokio::test]
async fn a_sent_transfer_can_be_deleted() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.fill("#text", "hello").await;
        let link = sent(browser).await;
        browser.click("#delete").await;
        browser.says("#outcome", "Deleted").await;
        browser.says("#status", "deleted").await;
        service.home.run(&["download", &link, "-o", "-"]).failed(4, "deleted");
    })
    .await;
}

#[tokio::test]
async fn the_sender_sees_downloads_and_status() {
    let service = Service::start();
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.fill("#text", "hello").await;
        browser.fill("#downloads", "2").await;
        let link = sent(browser).await;
        browser.says("#download-count", "0").await;
        service.download(&link, &[]);
        browser.says("#download-count", "1").await;
        browser.says("#events", "A download was counted").await;
        service.download(&link, &[]);
        browser.says("#status", "as often as it may be").await;
    })
    .await;
}

#[tokio::test]
async fn a_token_is_kept_only_on_request_and_only_in_the_tab() {
    let service = Service::start();
    let secret = service.token.rsplit('_').next().unwrap();
    chromium(async |browser| {
        begin(browser, &service).await;
        browser.fill("#text", "hello").await;
        sent(browser).await;
        assert!(!browser.kept().await.to_string().contains(secret));
        browser.goto(&service.page()).await;
        assert_eq!(browser.value_now("#token").await, "");

        browser.fill("#text", "hello").await;
        browser.fill("#token", &service.token).await;
        browser.click("label:has(#keep-token)").await;
        sent(browser).await;
        let kept = browser.kept().await;
        assert!(kept["session"].to_string().contains(secret), "{kept}");
        assert!(!kept["local"].to_string().contains(secret) && kept["databases"] == json!([]), "{kept}");
        browser.goto(&service.page()).await;
        assert_eq!(browser.value("#token").await, service.token);
        // The token is removed once the option is cleared.
        browser.click("label:has(#keep-token)").await;
        browser.fill("#text", "hello").await;
        sent(browser).await;
        assert!(!browser.kept().await.to_string().contains(secret));
    })
    .await;
}

#[tokio::test]
async fn an_upload_resumes_after_a_broken_connection() {
    let service = Service::on_disk();
    chromium(async |browser| {
        let gate = service.half_sent(browser).await;
        gate.open();
        browser.visible("#sent").await;
        let link = browser.value("#link").await.replace(&gate.url, &service.serving.public);
        assert!(service.download(&link, &[]) == content(9_000_000), "the content differs");
    })
    .await;
}

#[tokio::test]
async fn a_stopped_upload_is_deleted() {
    let service = Service::on_disk();
    chromium(async |browser| {
        let gate = service.half_sent(browser).await;
        gate.let_others_in();
        browser.click("#cancel").await;
        browser.says("#outcome", "What was sent was deleted").await;
        assert!(browser.shows("#send-form").await && browser.shows("#chosen li").await);
        gate.open();
        let stats = service.run(&["stats", "--json"]).json();
        assert_eq!(stats["bytes_stored"], 0, "{stats}");
    })
    .await;
}
