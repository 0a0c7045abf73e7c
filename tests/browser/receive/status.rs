//! Unavailable transfers, previews, and the data of a download that the server stores.

use std::time::Duration;

use serde_json::json;

use super::download;
use crate::support::{Service, chromium, each, png};

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
            (&used, "Limit reached: downloaded "),
            (&deleted, "This file was deleted"),
            (&unknown, "Not found"),
            (&damaged, "Not found"),
        ] {
            browser.goto(link).await;
            browser.wait_for_text("#file-name", words).await;
            // No fact that does not hold any more.
            for id in ["#download", "#key", "#state", "#file-facts", "#security"] {
                assert!(!browser.is_visible(id).await, "{words}: {id}");
            }
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
              const response = await ask(...all);
              if (!String(all[0]).endsWith('/status')) return response;
              return Response.json({ ...await response.json(), status: 'expired' });
            }";
        browser.before_scripts(late).await;
        browser.goto(&link).await;
        browser.wait_for_text("#file-name", "This link has expired").await;
        assert!(!browser.is_visible("#download").await);
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
        browser.wait_for_text("#shown pre", "Grüße <script>alert(1)</script>").await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        assert_eq!(browser.download().await, ("note.txt".to_owned(), text.as_bytes().to_vec()));
        assert_eq!(service.downloads(&link).await, 1, "preview and saving count as one download");

        let link = service.upload("dot.png", &png(), &["-d", "1"]);
        browser.goto(&link).await;
        browser.click("#preview").await;
        browser.wait_until_visible("#shown img").await;
        let width = browser.script("return document.querySelector('#shown img').naturalWidth", json!(null)).await;
        assert_eq!(width, 1);
        assert_eq!(service.downloads(&link).await, 1);
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
        browser.wait_until_visible("#download").await;
        assert_eq!(service.downloads(&link).await, 0);
    })
    .await;
}

#[tokio::test]
async fn stored_visitor_data_is_shown_after_a_download() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "1"]);
    chromium(async |browser| {
        download(browser, &link).await;
        browser.click("#transparency summary").await;
        let printed = browser.wait_for_text("#transparency", "Not stored").await;
        assert!(printed.contains("File name"), "{printed}");
    })
    .await;
}

#[tokio::test]
async fn name_size_and_message_are_shown_before_a_download_is_counted() {
    let service = Service::start();
    each(async |browser| {
        for options in [&["--downloads", "1"][..], &[]] {
            let sent = [&["--message", "<b>see</b>\npage 3"], options].concat();
            let link = service.upload("report.txt", &[7; 5_000], &sent);
            browser.goto(&link).await;
            browser.wait_for_text("#file-name", "report.txt").await;
            browser.wait_for_text("#file-facts", "4.88 KiB").await;
            browser.wait_for_text("#file-message", "<b>see</b>\npage 3").await;
            assert_eq!(service.downloads(&link).await, 0);
        }
    })
    .await;
}
