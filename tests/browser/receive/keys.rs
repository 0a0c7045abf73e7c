//! Keys and passphrases: missing, wrong, truncated, and removed from the address bar.

use serde_json::json;

use crate::support::{Service, chromium};

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
        browser.wait_until_visible("#download").await;
        assert_eq!(browser.address().await, without_key);
        let addresses = browser.script("return addresses", json!(null)).await;
        assert!(addresses.as_array().is_some_and(|all| !all.is_empty()), "no request was sent");
        assert!(!addresses.to_string().contains('#'), "{addresses}");
        let stored = browser.stored_data().await;
        assert!(!stored.to_string().contains(fragment.split_once('.').unwrap().1), "{stored}");
        assert_eq!(stored["history"], json!(null));
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
        browser.wait_for_text("#error", "The key is wrong").await;
        browser.wait_for_text("#file-name", "does not open the file").await;
        assert!(!browser.is_visible("#download").await);
        assert_eq!(service.downloads(&link).await, 0, "a wrong key counted a download");
        // The correct key is accepted afterwards.
        browser.fill("#key", &link).await;
        browser.click("#key-form button").await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
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
        browser.wait_for_text("#error", "The key is wrong").await;
        assert!(!browser.is_visible("#download").await);
        assert_eq!(service.downloads(&link).await, 0, "a wrong key counted a download");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_passphrase_of_an_unlimited_transfer_is_named() {
    let service = Service::start();
    let passphrase = service.home.file("passphrase", b"coffee");
    let link = service.upload("a.txt", b"hello", &["--passphrase-file", &passphrase]);
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.wait_until_visible("#passphrase").await;
        browser.fill_option("#passphrase", "tea").await;
        browser.enter("#passphrase").await;
        browser.wait_for_text("#error", "passphrase is wrong").await;
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
        browser.wait_for_text("#file-name", "This link is incomplete").await;
        browser.wait_until_visible("#key").await;
        browser.goto(without_key).await;
        browser.wait_until_visible("#key").await;
        browser.fill("#key", "v1.tooshort").await;
        browser.enter("#key").await;
        browser.wait_for_text("#error", "not a complete link or key").await;
        browser.fill("#key", key).await;
        browser.enter("#key").await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
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
        browser.wait_for_text("#outcome", "Download finished").await;
        browser.download().await;
        browser.reload().await;
        browser.wait_until_visible("#key").await;
        assert!(!browser.is_visible("#download").await);
        // A link pasted into the address bar of the open page works as well.
        browser.script("location.hash = args.key", json!({ "key": link.split_once('#').unwrap().1 })).await;
        browser.wait_until_visible("#download").await;
        browser.wait_until_hidden("#key-form").await;
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
        browser.wait_until_visible("#passphrase").await;
        assert!(!browser.is_visible("#download").await);
        assert_eq!(browser.focused().await, "passphrase");
        browser.fill_option("#passphrase", "tea").await;
        browser.enter("#passphrase").await;
        browser.wait_for_text("#error", "passphrase").await;
        assert_eq!(service.downloads(&link).await, 0, "a wrong passphrase counted a download");
        // Composed Unicode; the sender used the decomposed form.
        browser.fill_option("#passphrase", "café ☃").await;
        browser.enter("#passphrase").await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        assert_eq!(browser.download().await.1, b"hello");
        assert_eq!(browser.value_now("#passphrase").await, "", "the field still contains the passphrase");
    })
    .await;
}
