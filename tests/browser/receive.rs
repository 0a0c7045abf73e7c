//! Links of the command line, opened in Chromium.

use std::time::Duration;

use serde_json::json;

use crate::support::{Browser, Service, Way, chromium, content, png};

/// Content sizes whose payload ends just before, at and just after the end of a segment, for a file of this name.
fn boundaries(name: &str) -> Vec<usize> {
    let metadata = sgsend::domain::envelope::Metadata {
        filename: name.to_owned(),
        size: 1_048_000,
        content_type: Some("application/octet-stream".to_owned()),
        modified_ms: Some(1_767_268_800_000),
        archive: None,
    };
    let envelope = sgsend::domain::envelope::encode(&metadata).unwrap().len();
    // The envelope's length may be a few bytes off; these hit the boundary whatever it is.
    [1_048_520, 2_097_080].into_iter().flat_map(|end| (0..3).map(move |near| end - envelope + near * 20 - 20)).collect()
}

/// Opens the link and downloads what is behind it.
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
            assert!(got == sent, "{size} bytes are not what was sent");
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
async fn names_that_attack_become_harmless() {
    let service = Service::start();
    chromium(async |browser| {
        for name in ["../escaped.txt", "/etc/escaped.txt", "..\\escaped.txt", "<img src=x onerror=alert(1)>.txt"] {
            let said = service.home.pipe_at(&service.serving, &["upload", "-", "--name", name], b"x");
            if said.exit != 0 {
                // Refused on the sender's side already: as good.
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
async fn the_key_leaves_the_address_before_anything_is_asked_for() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "3"]);
    let (without_key, fragment) = link.split_once('#').unwrap();
    chromium(async |browser| {
        // Whatever a page asks for from its scripts, the address is written down at that moment.
        let watch = "globalThis.addresses = []; const ask = globalThis.fetch;
            globalThis.fetch = (...all) => { addresses.push(location.href); return ask(...all); }";
        browser.before_scripts(watch).await;
        browser.goto(&link).await;
        browser.visible("#download").await;
        assert_eq!(browser.address().await, without_key);
        let addresses = browser.script("return addresses", json!(null)).await;
        assert!(addresses.as_array().is_some_and(|all| !all.is_empty()), "nothing was asked for");
        assert!(!addresses.to_string().contains('#'), "{addresses}");
        let kept = browser.kept().await;
        assert!(!kept.to_string().contains(fragment.split_once('.').unwrap().1), "{kept}");
        assert_eq!(kept["history"], json!(null));
        let page = browser.script("return document.documentElement.outerHTML", json!(null)).await;
        assert!(!page.to_string().contains(fragment), "the key stands in the page");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_is_said_before_anything_is_counted() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "1"]);
    let other = service.upload("b.txt", b"other", &[]);
    let without_key = link.split_once('#').unwrap().0;
    chromium(async |browser| {
        browser.goto(&format!("{without_key}#{}", other.split_once('#').unwrap().1)).await;
        browser.says("#error", "The key is wrong").await;
        assert!(!browser.shows("#download").await);
        assert_eq!(service.downloads(&link).await, 0, "a wrong key used up a download");
        // The right one is taken all the same.
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
async fn without_a_limit_a_wrong_key_opens_nothing() {
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
async fn a_link_that_was_cut_off_is_told_from_one_without_a_key() {
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
async fn a_page_that_is_loaded_again_asks_for_the_key() {
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
        // A link that is pasted into the address bar of this page is taken like any other.
        browser.script("location.hash = args.key", json!({ "key": link.split_once('#').unwrap().1 })).await;
        browser.visible("#download").await;
        browser.hidden("#key-form").await;
        assert!(!browser.address().await.contains('#'));
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_passphrase_is_asked_for_and_a_wrong_one_counts_nothing() {
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
        assert_eq!(service.downloads(&link).await, 0, "a wrong passphrase used up a download");
        // Composed, where the sender wrote it decomposed.
        browser.fill("#passphrase", "café ☃").await;
        browser.enter("#passphrase").await;
        browser.click("#download").await;
        browser.says("#outcome", "Fetched and decrypted").await;
        assert_eq!(browser.download().await.1, b"hello");
        assert_eq!(browser.value_now("#passphrase").await, "", "the passphrase stays in the page");
    })
    .await;
}

#[tokio::test]
async fn links_that_lead_to_nothing_say_why() {
    let service = Service::start();
    let used = service.upload("a.txt", b"hello", &["-d", "1"]);
    service.download(&used, &[]);
    let deleted = service.upload("b.txt", b"hello", &[]);
    service.run(&["delete", &deleted]).text();
    let unknown = deleted.replacen(&deleted.split("/d/").nth(1).unwrap()[..32], "0123456789abcdef0123456789abcdef", 1);
    // As it becomes where it stands at the end of a sentence.
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
async fn a_link_whose_time_is_over_says_so() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["--expires", "1m"]);
    chromium(async |browser| {
        // A minute is the shortest time there is. The service's answer is what the page goes by, so it is changed.
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
async fn texts_and_pictures_are_shown_and_then_saved_as_one_download() {
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
        assert_eq!(service.downloads(&link).await, 1, "looking and saving count once");

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
async fn what_could_run_is_not_shown() {
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
async fn a_connection_that_breaks_is_gone_on_with_under_the_same_download() {
    let service = Service::on_disk();
    let sent = content(6 * 1024 * 1024);
    let link = service.upload("large.bin", &sent, &["-d", "1"]);
    chromium(async |browser| {
        let gate = service.half_fetched(browser, &link).await;
        gate.open();
        browser.says("#outcome", "Fetched and decrypted").await;
        let (name, got) = browser.download().await;
        assert_eq!(name, "large.bin");
        assert!(got == sent, "it is not what was sent");
        assert!(gate.passed(Way::Back) < 9 * 1024 * 1024, "it was fetched from the beginning");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_download_that_was_stopped_goes_on_as_the_same_one() {
    let service = Service::on_disk();
    let sent = content(6 * 1024 * 1024);
    let link = service.upload("large.bin", &sent, &["-d", "1"]);
    chromium(async |browser| {
        let gate = service.half_fetched(browser, &link).await;
        browser.click("#cancel").await;
        browser.says("#outcome", "Stopped").await;
        gate.open();
        browser.until("the rest to be gone", async || (browser.download_count() == 0).then_some(())).await;
        browser.click("#download").await;
        browser.says("#outcome", "Fetched and decrypted").await;
        assert!(browser.download().await.1 == sent, "it is not what was sent");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_network_that_comes_back_is_noticed() {
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
async fn without_service_workers_files_are_saved_all_the_same() {
    let service = Service::start();
    let sent = content(3_000_000);
    let link = service.upload("sent.bin", &sent, &["-d", "1"]);
    chromium(async |browser| {
        browser.before_scripts("delete Navigator.prototype.serviceWorker").await;
        let (name, got) = fetch(browser, &link).await;
        assert_eq!(browser.script("return 'serviceWorker' in navigator", json!(null)).await, false);
        assert_eq!(name, "sent.bin");
        assert!(got == sent, "it is not what was sent");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_payload_that_was_changed_is_given_to_nobody() {
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
        browser.until("nothing to be left", async || (browser.download_count() == 0).then_some(())).await;
    })
    .await;
}

#[tokio::test]
async fn previews_of_a_link_count_nothing() {
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
    // Nor does opening it, before somebody asks for the file.
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.visible("#download").await;
        assert_eq!(service.downloads(&link).await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_the_server_stored_is_shown_after_a_download() {
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
