//! Transfers from one browser to another.

use crate::support::{Browser, Service, chromium, content, firefox};

async fn send(browser: &Browser, service: &Service, name: &str, sent: &[u8], passphrase: &str) -> String {
    browser.goto(&service.page()).await;
    browser.fill("#token", &service.token).await;
    browser.choose("#files", &[&service.home.file(name, sent)]).await;
    browser.wait_for_text("#chosen", name).await;
    browser.fill("#passphrase", passphrase).await;
    browser.fill("#downloads", "1").await;
    browser.click("#send").await;
    browser.wait_until_visible("#sent").await;
    browser.value("#link").await
}

async fn receive(browser: &Browser, link: &str, passphrase: &str) -> (String, Vec<u8>) {
    browser.goto(link).await;
    if !passphrase.is_empty() {
        browser.fill("#passphrase", passphrase).await;
        browser.enter("#passphrase").await;
    }
    browser.click("#download").await;
    browser.wait_for_text("#outcome", "Fetched and decrypted").await;
    browser.download().await
}

const NAME: &str = "Grüße 報告書.bin";
const PASSPHRASE: &str = "café ☃";

/// Downloads the transfers without and with a passphrase, and compares their content.
async fn arrive(browser: &Browser, service: &Service, links: [&str; 2], sent: &[u8]) {
    for (link, passphrase) in links.into_iter().zip(["", PASSPHRASE]) {
        let (name, got) = receive(browser, link, passphrase).await;
        assert_eq!(name, NAME);
        assert!(got == sent, "the content differs");
        assert_eq!(service.downloads(link).await, 1);
    }
}

#[tokio::test]
async fn a_file_goes_from_chromium_to_firefox() {
    let service = Service::start();
    let sent = content(3_500_000);
    let links = chromium(async |browser| {
        let plain = send(browser, &service, NAME, &sent, "").await;
        (plain, send(browser, &service, NAME, &sent, PASSPHRASE).await)
    });
    let Some(((plain, locked), _)) = links.await else { return };
    firefox(async |browser| {
        arrive(browser, &service, [&plain, &locked], &sent).await;
    })
    .await;
}

#[tokio::test]
async fn a_file_goes_from_firefox_to_chromium() {
    let service = Service::start();
    let sent = content(3_500_000);
    let links = firefox(async |browser| {
        let plain = send(browser, &service, NAME, &sent, "").await;
        (plain, send(browser, &service, NAME, &sent, PASSPHRASE).await)
    });
    let Some(((plain, locked), _)) = links.await else { return };
    chromium(async |browser| {
        arrive(browser, &service, [&plain, &locked], &sent).await;
    })
    .await;
}
