//! Resuming of stopped and interrupted downloads.

use serde_json::json;

use crate::support::{Direction, Service, chromium, content};

#[tokio::test]
async fn resuming_an_interrupted_download_counts_no_second_download() {
    let service = Service::on_disk();
    let original = content(6 * 1024 * 1024);
    let link = service.upload("large.bin", &original, &["-d", "1"]);
    chromium(async |browser| {
        let proxy = service.start_partial_download(browser, &link).await;
        proxy.open();
        browser.wait_for_text("#outcome", "Download finished").await;
        let (name, received) = browser.download().await;
        assert_eq!(name, "large.bin");
        assert!(received == original, "the content differs");
        assert!(
            proxy.bytes_forwarded(Direction::Downstream) < 9 * 1024 * 1024,
            "the download restarted from the beginning"
        );
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn resuming_a_stopped_download_counts_no_second_download() {
    let service = Service::on_disk();
    let original = content(6 * 1024 * 1024);
    let link = service.upload("large.bin", &original, &["-d", "1"]);
    chromium(async |browser| {
        let proxy = service.start_partial_download(browser, &link).await;
        browser.click("#cancel").await;
        browser.wait_for_text("#outcome", "Download stopped").await;
        proxy.open();
        browser.until("the partial file to be removed", async || (browser.download_count() == 0).then_some(())).await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        assert!(browser.download().await.1 == original, "the content differs");
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
        browser.wait_until_visible("#download").await;
        browser.offline(true).await;
        browser.click("#download").await;
        browser.wait_for_text("#progress-text", "Retrying").await;
        browser.offline(false).await;
        browser.wait_for_text("#outcome", "Download finished").await;
        assert_eq!(browser.download().await.1, b"hello");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_paused_download_continues_on_request() {
    let service = Service::on_disk();
    let original = content(20 * 1024 * 1024);
    let link = service.upload("large.bin", &original, &["-d", "1"]);
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.wait_until_visible("#download").await;
        let slow =
            json!({ "offline": false, "latency": 0, "downloadThroughput": 4 * 1024 * 1024, "uploadThroughput": -1 });
        browser.tell("Network.emulateNetworkConditions", slow).await;
        browser.click("#download").await;
        browser.wait_for_text("#progress-text", "MiB of").await;
        browser.click("#pause").await;
        browser.wait_for_text("#progress-text", "Paused").await;
        browser.wait_for_text("#pause", "Resume").await;
        // Longer than the download would take.
        tokio::time::sleep(std::time::Duration::from_secs(7)).await;
        assert_eq!(browser.text("#progress-text").await, "Paused");
        browser.click("#pause").await;
        browser.wait_for_text("#outcome", "Verified to the last byte").await;
        assert!(browser.download().await.1 == original, "the content differs");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}
