//! Links of the command line, opened in Chromium.

use std::time::Duration;

use serde_json::json;

use crate::support::{Browser, Service, Way, chromium, content, png};

/// Returns content sizes whose payload ends just before, at and just after a segment boundary, for a file of this name.
fn boundaries(name: &str) -> Vec<usize> {
    let metadata = sgsend::domain::crypto::envelope::Metadata {
        filename: name.to_owned(),
        size: 1_048_000,
        content_type: Some("application/octet-stream".to_owned()),
        modified_ms: Some(1_767_268_800_000),
        archive: None,
    };
    let envelope = sgsend::domain::crypto::envelope::encode(&metadata).unwrap().len();
    // The envelope's length may differ by a few bytes; these sizes hit the boundary in any case.
    [1_048_520, 2_097_080].into_iter().flat_map(|end| (0..3).map(move |near| end - envelope + near * 20 - 20)).collect()
}

/// Opens the link and downloads its content.
async fn fetch(browser: &Browser, link: &str) -> (String, Vec<u8>) {
    browser.goto(link).await;
    browser.click("#download").await;
    browser.says("#outcome", "Fetched and decrypted").await;
    browser.download().await
}

#[tokio::test]
async fn files_of_every_size_arrive_byte_for_byte() {
    let service = Service::start();
    chromium(async |browser| {
        let sizes = [0, 1, 1_000, 5 * 1024 * 1024].into_iter().chain(boundaries("sent.bin"));
        for size in sizes {
            let sent = content(size);
            let link = service.upload("sent.bin", &sent, &["-d", "1"]);
            let (name, got) = fetch(browser, &link).await;
            assert_eq!((name.as_str(), got.len()), ("sent.bin", size));
            assert!(got == sent, "the content of {size} bytes differs");
            assert_eq!(service.downloads(&link).await, 1, "{size} bytes");
        }
    })
    .await;
}

#[tokio::test]
async fn names_in_many_scripts_arrive_as_they_are() {
    let service = Service::start();
    chromium(async |browser| {
        for name in [
            "Grüße an alle.txt",
            "отчёт за год.pdf",
            "報告書 (最終版).docx",
            "تقرير.csv",
            "דוח.txt",
            "🦀 & 50% 'quoted'; x=1.txt",
            "no extension",
            "two.tar.gz",
        ] {
            let link = service.upload(name, name.as_bytes(), &[]);
            browser.goto(&link).await;
            browser.click("#download").await;
            browser.says("#file-name", name).await;
            browser.says("#outcome", "Fetched and decrypted").await;
            let (got, content) = browser.download().await;
            assert_eq!(got, name);
            assert_eq!(content, name.as_bytes());
        }
    })
    .await;
}

#[tokio::test]
async fn malicious_names_are_sanitised() {
    let service = Service::start();
    chromium(async |browser| {
        for name in ["../escaped.txt", "/etc/escaped.txt", "..\\escaped.txt", "<img src=x onerror=alert(1)>.txt"] {
            let said = service.home.pipe_at(&service.serving, &["upload", "-", "--name", name], b"x");
            if said.exit != 0 {
                // A refusal by the sender is equally safe.
                continue;
            }
            let (got, _) = fetch(browser, &said.text()).await;
            assert!(got.contains("txt") && !got.contains(['/', '\\']), "{name:?} became {got:?}");
            assert!(!browser.downloads().parent().unwrap().join("escaped.txt").exists());
        }
    })
    .await;
}

#[tokio::test]
async fn the_key_is_removed_from_the_url_before_any_request() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "3"]);
    let (without_key, fragment) = link.split_once('#').unwrap();
    chromium(async |browser| {
        // Records the page's URL at each fetch from its scripts.
        let watch = "globalThis.addresses = []; const ask = globalThis.fetch;
            globalThis.fetch = (...all) => { addresses.push(location.href); return ask(...all); }";
        browser.before_scripts(watch).await;
        browser.goto(&link).await;
        browser.visible("#download").await;
        assert_eq!(browser.address().await, without_key);
        let addresses = browser.script("return addresses", json!(null)).await;
        assert!(addresses.as_array().is_some_and(|all| !all.is_empty()), "no request was sent");
        assert!(!addresses.to_string().contains('#'), "{addresses}");
        let kept = browser.kept().await;
        assert!(!kept.to_string().contains(fragment.split_once('.').unwrap().1), "{kept}");
        assert_eq!(kept["history"], json!(null));
        let page = browser.script("return document.documentElement.outerHTML", json!(null)).await;
        assert!(!page.to_string().contains(fragment), "the page contains the key");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_is_reported_before_a_download_is_counted() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "1"]);
    let other = service.upload("b.txt", b"other", &[]);
    let without_key = link.split_once('#').unwrap().0;
    chromium(async |browser| {
        browser.goto(&format!("{without_key}#{}", other.split_once('#').unwrap().1)).await;
        browser.says("#error", "The key is wrong").await;
        assert!(!browser.shows("#download").await);
        assert_eq!(service.downloads(&link).await, 0, "a wrong key counted a download");
        // The correct key is accepted afterwards.
        browser.fill("#key", &link).await;
        browser.click("#key-form button").await;
        browser.click("#download").await;
        browser.says("#outcome", "Fetched and decrypted").await;
        assert_eq!(browser.download().await.1, b"hello");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_decrypts_nothing_of_an_unlimited_transfer() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &[]);
    let other = service.upload("b.txt", b"other", &[]);
    chromium(async |browser| {
        let mixed = format!("{}#{}", link.split_once('#').unwrap().0, other.split_once('#').unwrap().1);
        browser.goto(&mixed).await;
        browser.click("#download").await;
        browser.says("#error", "wrong").await;
        assert_eq!(browser.download_count(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_truncated_link_differs_from_a_link_without_key() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "1"]);
    let (without_key, key) = link.split_once('#').unwrap();
    chromium(async |browser| {
        browser.goto(&link[..link.len() - 3]).await;
        browser.says("#error", "not a key").await;
        browser.visible("#key").await;
        browser.goto(without_key).await;
        browser.visible("#key").await;
        browser.fill("#key", "v1.tooshort").await;
        browser.enter("#key").await;
        browser.says("#error", "no key").await;
        browser.fill("#key", key).await;
        browser.enter("#key").await;
        browser.click("#download").await;
        browser.says("#outcome", "Fetched and decrypted").await;
        assert_eq!(browser.download().await.1, b"hello");
    })
    .await;
}

#[tokio::test]
async fn a_reloaded_page_prompts_for_the_key() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "2"]);
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.click("#download").await;
        browser.says("#outcome", "Fetched and decrypted").await;
        browser.download().await;
        browser.reload().await;
        browser.visible("#key").await;
        assert!(!browser.shows("#download").await);
        // A link pasted into the address bar of the open page works as well.
        browser.script("location.hash = args.key", json!({ "key": link.split_once('#').unwrap().1 })).await;
        browser.visible("#download").await;
        browser.hidden("#key-form").await;
        assert!(!browser.address().await.contains('#'));
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_passphrase_counts_no_download() {
    let service = Service::start();
    let passphrase = service.home.file("passphrase", "cafe\u{301} \u{2603}\n".as_bytes());
    let link = service.upload("a.txt", b"hello", &["--passphrase-file", &passphrase, "-d", "1"]);
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.visible("#passphrase").await;
        assert!(!browser.shows("#download").await);
        assert_eq!(browser.focused().await, "passphrase");
        browser.fill("#passphrase", "tea").await;
        browser.enter("#passphrase").await;
        browser.says("#error", "passphrase").await;
        assert_eq!(service.downloads(&link).await, 0, "a wrong passphrase counted a download");
        // Composed Unicode; the sender used the decomposed form.
        browser.fill("#passphrase", "café ☃").await;
        browser.enter("#passphrase").await;
        browser.click("#download").await;
        browser.says("#outcome", "Fetched and decrypted").await;
        assert_eq!(browser.download().await.1, b"hello");
        assert_eq!(browser.value_now("#passphrase").await, "", "the field still contains the passphrase");
    })
    .await;
}

#[tokio::test]
async fn unavailable_transfers_report_the_reason() {
    let service = Service::start();
    let used = service.upload("a.txt", b"hello", &["-d", "1"]);
    service.download(&used, &[]);
    let deleted = service.upload("b.txt", b"hello", &[]);
    service.run(&["delete", &deleted]).text();
    let unknown = deleted.replacen(&deleted.split("/d/").nth(1).unwrap()[..32], "0123456789abcdef0123456789abcdef", 1);
    // The link with a full stop inserted, as happens at the end of a sentence.
    let damaged = deleted.replacen('#', ".#", 1);
    chromium(async |browser| {
        for (link, words) in [
            (&used, "as often as the sender allowed"),
            (&deleted, "was deleted"),
            (&unknown, "no such transfer"),
            (&damaged, "Is the link whole?"),
        ] {
            browser.goto(link).await;
            browser.says("#error", words).await;
            assert!(!browser.shows("#download").await && !browser.shows("#key").await, "{words}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_expired_link_is_reported() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["--expires", "1m"]);
    chromium(async |browser| {
        // The minimum lifetime is one minute, so the test changes the service's response instead of waiting.
        let late = "const ask = globalThis.fetch; globalThis.fetch = async (...all) => {
              const answer = await ask(...all);
              if (!String(all[0]).endsWith('/status')) return answer;
              return Response.json({ ...await answer.json(), status: 'expired' });
            }";
        browser.before_scripts(late).await;
        browser.goto(&link).await;
        browser.says("#error", "time in which this file could be fetched is over").await;
        assert!(!browser.shows("#download").await);
    })
    .await;
}

#[tokio::test]
async fn preview_and_saving_count_as_one_download() {
    let service = Service::start();
    let text = "Grüße <script>alert(1)</script>\n";
    chromium(async |browser| {
        let link = service.upload("note.txt", text.as_bytes(), &["-d", "1"]);
        browser.goto(&link).await;
        browser.click("#preview").await;
        browser.says("#shown pre", "Grüße <script>alert(1)</script>").await;
        browser.click("#download").await;
        browser.says("#outcome", "Fetched and decrypted").await;
        assert_eq!(browser.download().await, ("note.txt".to_owned(), text.as_bytes().to_vec()));
        assert_eq!(service.downloads(&link).await, 1, "preview and saving count as one download");

        let link = service.upload("dot.png", &png(), &["-d", "1"]);
        browser.goto(&link).await;
        browser.click("#preview").await;
        browser.visible("#shown img").await;
        let width = browser.script("return document.querySelector('#shown img').naturalWidth", json!(null)).await;
        assert_eq!(width, 1);
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn active_content_is_not_previewed() {
    let service = Service::start();
    chromium(async |browser| {
        let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>parent.document.title = 'run'</script></svg>";
        for name in ["picture.svg", "program.bin"] {
            let link = service.upload(name, svg.as_bytes(), &[]);
            browser.goto(&link).await;
            browser.click("#preview").await;
            browser.visible("#file").await;
            browser.until("an answer", async || (!browser.text("#outcome").await.is_empty()).then_some(())).await;
            assert!(!browser.shows("#shown img, #shown iframe, #shown object, #shown embed").await, "{name}");
            let title = browser.script("return document.title", json!(null)).await;
            assert_ne!(title, "run");
        }
    })
    .await;
}

#[tokio::test]
async fn a_broken_download_resumes_as_the_same_download() {
    let service = Service::on_disk();
    let sent = content(6 * 1024 * 1024);
    let link = service.upload("large.bin", &sent, &["-d", "1"]);
    chromium(async |browser| {
        let gate = service.half_fetched(browser, &link).await;
        gate.open();
        browser.says("#outcome", "Fetched and decrypted").await;
        let (name, got) = browser.download().await;
        assert_eq!(name, "large.bin");
        assert!(got == sent, "the content differs");
        assert!(gate.passed(Way::Back) < 9 * 1024 * 1024, "the download restarted from the beginning");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_stopped_download_resumes_as_the_same_download() {
    let service = Service::on_disk();
    let sent = content(6 * 1024 * 1024);
    let link = service.upload("large.bin", &sent, &["-d", "1"]);
    chromium(async |browser| {
        let gate = service.half_fetched(browser, &link).await;
        browser.click("#cancel").await;
        browser.says("#outcome", "Stopped").await;
        gate.open();
        browser.until("the partial file to be removed", async || (browser.download_count() == 0).then_some(())).await;
        browser.click("#download").await;
        browser.says("#outcome", "Fetched and decrypted").await;
        assert!(browser.download().await.1 == sent, "the content differs");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_restored_network_resumes_the_download() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "1"]);
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.visible("#download").await;
        browser.offline(true).await;
        browser.click("#download").await;
        browser.says("#progress-text", "Trying again").await;
        browser.offline(false).await;
        browser.says("#outcome", "Fetched and decrypted").await;
        assert_eq!(browser.download().await.1, b"hello");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn files_are_saved_without_service_workers() {
    let service = Service::start();
    let sent = content(3_000_000);
    let link = service.upload("sent.bin", &sent, &["-d", "1"]);
    chromium(async |browser| {
        browser.before_scripts("delete Navigator.prototype.serviceWorker").await;
        let (name, got) = fetch(browser, &link).await;
        assert_eq!(browser.script("return 'serviceWorker' in navigator", json!(null)).await, false);
        assert_eq!(name, "sent.bin");
        assert!(got == sent, "the content differs");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_tampered_payload_is_not_saved() {
    let service = Service::on_disk();
    let link = service.upload("large.bin", &content(3_000_000), &["-d", "1"]);
    let payloads = walkdir::WalkDir::new(service.store()).into_iter().filter_map(Result::ok);
    let payload = payloads.filter(|entry| entry.metadata().is_ok_and(|data| data.is_file() && data.len() > 3_000_000));
    let payload = payload.last().unwrap().into_path();
    let mut sealed = std::fs::read(&payload).unwrap();
    sealed[2_500_000] ^= 1;
    std::fs::write(&payload, sealed).unwrap();
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.click("#download").await;
        browser.says("#error", "damaged").await;
        browser.until("all files to be removed", async || (browser.download_count() == 0).then_some(())).await;
    })
    .await;
}

#[tokio::test]
async fn link_previews_count_no_download() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "1"]);
    let address = link.split_once('#').unwrap().0;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    for agent in
        ["facebookexternalhit/1.1", "Slackbot-LinkExpanding 1.0", "WhatsApp/2.23", "TelegramBot (like TwitterBot)"]
    {
        let page = client.get(address).header("user-agent", agent).header("purpose", "prefetch").send().await.unwrap();
        assert_eq!(page.status(), 200, "{agent}");
        let text = page.text().await.unwrap();
        assert!(!text.contains("a.txt") && !text.contains(&address[address.len() - 32..]), "{agent} learns something");
    }
    assert_eq!(service.downloads(&link).await, 0);
    // Opening the page counts no download either, before the download starts.
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.visible("#download").await;
        assert_eq!(service.downloads(&link).await, 0);
    })
    .await;
}

#[tokio::test]
async fn stored_visitor_data_is_shown_after_a_download() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "1"]);
    chromium(async |browser| {
        fetch(browser, &link).await;
        browser.click("#transparency summary").await;
        let told = browser.says("#transparency", "Not stored").await;
        assert!(told.contains("file name"), "{told}");
    })
    .await;
}
