//! Upload and download of 100 MiB, the default maximum size, in a page.

use crate::support::{Service, chromium, content};

const SIZE: usize = 100 * 1024 * 1024;

#[tokio::test]
async fn content_of_100_mib_is_sent_and_received() {
    let service = Service::start();
    let original = content(SIZE);
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.use_token(&service.token).await;
        browser.choose("#files", &[&service.home.file("large.bin", &original)]).await;
        browser.click("#send").await;
        browser.patiently("the upload to finish", async || browser.is_visible("#sent").await.then_some(())).await;
        let link = browser.value("#link").await;
        assert!(service.download(&link, &[]) == original, "the content differs");
        browser.goto(&link).await;
        browser.click("#download").await;
        browser
            .patiently("the download to finish", async || {
                browser.text("#outcome").await.contains("Download finished").then_some(())
            })
            .await;
        assert!(browser.download().await.1 == original, "the content differs");
    })
    .await;
}
