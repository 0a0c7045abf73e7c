//! Files as large as a service takes by default, which no page may hold in memory as a whole.

use crate::support::{Service, chromium, content};

const SIZE: usize = 100 * 1024 * 1024;

#[tokio::test]
async fn a_hundred_mebibytes_arrive_both_ways() {
    let service = Service::start();
    let sent = content(SIZE);
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.fill("#token", &service.token).await;
        browser.choose("#files", &[&service.home.file("large.bin", &sent)]).await;
        browser.click("#send").await;
        browser.patiently("it to be sent", async || browser.shows("#sent").await.then_some(())).await;
        let link = browser.value("#link").await;
        assert!(service.download(&link, &[]) == sent, "it is not what was sent");
        browser.goto(&link).await;
        browser.click("#download").await;
        browser
            .patiently("it to be fetched", async || {
                browser.text("#outcome").await.contains("Fetched and decrypted").then_some(())
            })
            .await;
        assert!(browser.download().await.1 == sent, "it is not what was sent");
    })
    .await;
}
