//! Saving downloads to disk.

use serde_json::json;

use crate::support::{BlockingProxy, Direction, Service, chromium, content};

/// Records the texts of the progress line.
const WATCH: &str = "globalThis.lines = [];
    const line = document.querySelector('#progress-text');
    new MutationObserver(() => lines.push(line.textContent)).observe(line, { childList: true, characterData: true });";

#[tokio::test]
async fn a_download_shows_its_progress() {
    let service = Service::on_disk();
    let original = content(30 * 1024 * 1024);
    let link = service.upload("large.bin", &original, &["-d", "1"]);
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.wait_until_visible("#download").await;
        browser.script(WATCH, json!(null)).await;
        let slow =
            json!({ "offline": false, "latency": 0, "downloadThroughput": 8 * 1024 * 1024, "uploadThroughput": -1 });
        browser.tell("Network.emulateNetworkConditions", slow).await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        assert!(browser.download().await.1 == original, "the content differs");
        let lines = browser.script("return lines", json!(null)).await;
        let of = |line: &str| Some(line.strip_prefix("Downloading · ")?.split_once(" of ")?.0.to_owned());
        let mut values: Vec<_> = lines.as_array().unwrap().iter().filter_map(|line| of(line.as_str()?)).collect();
        values.dedup();
        assert!(values.len() > 5, "{lines}");
        assert_eq!(values.first().map(String::as_str), Some("0 bytes"), "{lines}");
        let distinct: std::collections::BTreeSet<_> = values.iter().collect();
        assert_eq!(distinct.len(), values.len(), "the progress went backwards: {lines}");
        assert!(lines.to_string().contains("left"), "no remaining time was shown: {lines}");
    })
    .await;
}

#[tokio::test]
async fn a_terminated_worker_is_detected_and_the_download_resumes() {
    let service = Service::on_disk();
    let original = content(30 * 1024 * 1024);
    let link = service.upload("large.bin", &original, &["-d", "1"]);
    chromium(async |browser| {
        let proxy = BlockingProxy::to(&service.serving.public);
        browser.goto(&link.replace(&service.serving.public, &proxy.url)).await;
        browser.wait_until_visible("#download").await;
        browser.tell("ServiceWorker.enable", json!({})).await;
        // The service worker may start after the first bytes are in memory, but must start.
        proxy.hold_each_after(Direction::Downstream, 10 * 1024 * 1024);
        browser.click("#download").await;
        proxy.wait();
        browser.until("the file to be created", async || (browser.download_count() > 0).then_some(())).await;
        browser.tell("ServiceWorker.stopAllWorkers", json!({})).await;
        proxy.open();
        browser.wait_for_text("#error", "The browser stopped the download").await;
        browser.until("the failed file to be removed", async || (browser.download_count() == 0).then_some(())).await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        let (name, got) = browser.download().await;
        assert_eq!(name, "large.bin");
        assert!(got == original, "the content differs");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}
