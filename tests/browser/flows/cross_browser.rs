//! Transfers from one browser to another.

use crate::support::{Browser, Service, chromium, content, firefox};

async fn send(browser: &Browser, service: &Service, name: &str, original: &[u8], passphrase: &str) -> String {
    browser.goto(&service.page()).await;
    browser.use_token(&service.token).await;
    browser.choose("#files", &[&service.home.file(name, original)]).await;
    browser.wait_for_text("#chosen", name).await;
    browser.fill_option("#passphrase", passphrase).await;
    browser.fill_option("#downloads", "1").await;
    browser.click("#send").await;
    browser.wait_until_visible("#sent").await;
    browser.value("#link").await
}

async fn receive(browser: &Browser, link: &str, passphrase: &str) -> (String, Vec<u8>) {
    browser.goto(link).await;
    if !passphrase.is_empty() {
        browser.fill_option("#passphrase", passphrase).await;
        browser.enter("#passphrase").await;
    }
    browser.click("#download").await;
    browser.wait_for_text("#outcome", "Download finished").await;
    browser.download().await
}

const NAME: &str = "Grüße 報告書.bin";
const PASSPHRASE: &str = "café ☃";

/// Downloads the transfers without and with a passphrase, and compares their content.
async fn check_downloads(browser: &Browser, service: &Service, links: [&str; 2], original: &[u8]) {
    for (link, passphrase) in links.into_iter().zip(["", PASSPHRASE]) {
        let (name, got) = receive(browser, link, passphrase).await;
        assert_eq!(name, NAME);
        assert!(got == original, "the content differs");
        assert_eq!(service.downloads(link).await, 1);
    }
}

#[tokio::test]
async fn a_file_goes_from_chromium_to_firefox() {
    let service = Service::start();
    let original = content(3_500_000);
    let links = chromium(async |browser| {
        let plain = send(browser, &service, NAME, &original, "").await;
        (plain, send(browser, &service, NAME, &original, PASSPHRASE).await)
    });
    let Some((plain, locked)) = links.await else { return };
    firefox(async |browser| {
        check_downloads(browser, &service, [&plain, &locked], &original).await;
    })
    .await;
}

#[tokio::test]
async fn a_file_goes_from_firefox_to_chromium() {
    let service = Service::start();
    let original = content(3_500_000);
    let links = firefox(async |browser| {
        let plain = send(browser, &service, NAME, &original, "").await;
        (plain, send(browser, &service, NAME, &original, PASSPHRASE).await)
    });
    let Some((plain, locked)) = links.await else { return };
    chromium(async |browser| {
        check_downloads(browser, &service, [&plain, &locked], &original).await;
    })
    .await;
}
