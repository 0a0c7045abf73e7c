//! After an upload: link, status and deletion.

use serde_json::json;

use super::{open_send_page, send};
use crate::support::{Service, chromium};

#[tokio::test]
async fn the_link_is_copied_or_selected_for_copying() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.write_text("hello").await;
        let link = send(browser).await;
        browser
            .tell("Browser.grantPermissions", json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}))
            .await;
        browser.click("#copy-link").await;
        browser.wait_for_text("#outcome", "Link copied.").await;
        assert_eq!(browser.script("return navigator.clipboard.readText()", json!([])).await, json!(link));

        browser.script("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))", json!([])).await;
        browser.click("#copy-link").await;
        browser.wait_for_text("#error", "Link is selected: copy it by hand.").await;
        let marked = "const field = document.getElementById('link'); \
                      return field.value.slice(field.selectionStart, field.selectionEnd)";
        assert_eq!(browser.script(marked, json!([])).await, json!(link));
    })
    .await;
}

#[tokio::test]
async fn link_and_key_are_shown_separately_on_request() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.write_text("hello").await;
        browser.open_details("#options").await;
        browser.click("label:has(#apart)").await;
        let link = send(browser).await;
        let key = browser.value("#link-key").await;
        assert!(!link.contains('#') && key.starts_with("v1."), "{link} {key}");
        let page = browser.script("return document.body.innerText", json!(null)).await;
        assert!(!page.as_str().unwrap().contains(&format!("{link}#")), "the page contains the complete link");
        assert_eq!(service.download(&link, &["--key", &key]), b"hello");
    })
    .await;
}

#[tokio::test]
async fn a_sent_transfer_can_be_deleted() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.write_text("hello").await;
        let link = send(browser).await;
        browser.click("#delete").await;
        browser.click("#confirm-yes").await;
        browser.wait_for_text("#outcome", "Deleted").await;
        browser.wait_for_text("#status", "deleted").await;
        // A link that opens nothing cannot be copied.
        assert!(!browser.is_visible("#link, #copy-link, #qr").await);
        assert_eq!(browser.value_now("#link").await, "");
        service.home.run(&["download", &link, "-o", "-"]).expect_failure(4, "deleted");
    })
    .await;
}

#[tokio::test]
async fn the_sender_sees_downloads_and_status() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.write_text("hello").await;
        browser.fill_option("#downloads", "2").await;
        let link = send(browser).await;
        browser.wait_for_text("#download-count", "0").await;
        service.download(&link, &[]);
        browser.wait_for_text("#download-count", "1").await;
        browser.open_details("#activity").await;
        browser.wait_for_text("#events", "Download counted").await;
        service.download(&link, &[]);
        browser.wait_for_text("#status", "limit reached").await;
    })
    .await;
}

#[tokio::test]
async fn leaving_warns_until_the_link_is_copied() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.write_text("hello").await;
        send(browser).await;
        let warns = "return !dispatchEvent(new Event('beforeunload', { cancelable: true }))";
        assert_eq!(browser.script(warns, json!(null)).await, true);
        browser.click("#copy-link").await;
        browser.wait_for_text("#outcome", "Link copied").await;
        assert_eq!(browser.script(warns, json!(null)).await, false);
    })
    .await;
}

#[tokio::test]
async fn a_generated_passphrase_is_shown_and_needed() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.write_text("hello").await;
        browser.open_details("#options").await;
        browser.click("#generate").await;
        let passphrase = browser.value("#passphrase").await;
        let is_typable = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(passphrase.len() == 24 && passphrase.chars().all(is_typable), "{passphrase}");
        browser.wait_for_text("#options-summary", "With passphrase").await;
        let link = send(browser).await;
        let file = service.home.file("passphrase", passphrase.as_bytes());
        assert_eq!(service.download(&link, &["--passphrase-file", &file]), b"hello");
    })
    .await;
}
