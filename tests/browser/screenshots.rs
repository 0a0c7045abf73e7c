//! The pictures of the pages in `docs/`, painted anew by `tests/browsers.sh paint`.

use std::path::Path;

use crate::support::{Browser, Service, Theme, chromium, content};

async fn paint(browser: &Browser, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for theme in Theme::EACH {
        browser.prefer(theme).await;
        for width in [360, 1280] {
            browser.resize(width, 800).await;
            browser.picture(&folder.join(format!("{name}-{width}-{}.png", theme.name()))).await;
        }
    }
}

#[tokio::test]
#[ignore = "it checks nothing, and writes into docs/"]
async fn paint_the_pages() {
    // So that links look like those that people get.
    let service = Service::with(&["--public-url", "https://send.example.org"]);
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.fill("#token", &service.token).await;
        browser.choose("#files", &[&service.home.file("contract.pdf", &content(1_300_000))]).await;
        browser.visible("#chosen li").await;
        paint(browser, "send").await;
        browser.fill("#downloads", "3").await;
        browser.click("#send").await;
        browser.visible("#sent").await;
        browser.visible("#events li").await;
        paint(browser, "sent").await;
        let link = browser.value("#link").await;
        browser.goto(&link.replace("https://send.example.org", &service.serving.public)).await;
        browser.visible("#download").await;
        paint(browser, "receive").await;
        browser.click("#download").await;
        browser.says("#outcome", "Fetched and decrypted").await;
        paint(browser, "received").await;
        browser.download().await;
    })
    .await;
}
