//! Uploads with a link for each recipient, and the page that opens such links.

use serde_json::json;

use super::open_send_page;
use crate::support::{Browser, Service, chromium, each};

/// Sends a text to these recipients; returns their links.
async fn send_to(browser: &Browser, names: &str, count: usize) -> Vec<String> {
    browser.write_text("hello").await;
    browser.fill_option("#recipients", names).await;
    browser.click("#send").await;
    browser.wait_until_visible(&format!("#link-{}", count - 1)).await;
    let mut links = Vec::new();
    for at in 0..count {
        links.push(browser.value(&format!("#link-{at}")).await);
    }
    links
}

#[tokio::test]
async fn each_recipient_gets_a_link_with_limits_of_its_own() {
    let service = Service::start();
    each(async |browser| {
        open_send_page(browser, &service).await;
        browser.fill_option("#downloads", "1").await;
        let links = send_to(browser, " Ada,Zoë & 茜 ; , Bob", 3).await;
        assert!(!browser.is_visible("#link").await, "the own link is shown, which nobody can use");
        let labels = "return Array.from(document.querySelectorAll('#links label'), (label) => label.textContent)";
        assert_eq!(browser.script(labels, json!(null)).await, json!(["Ada", "Zoë & 茜", "Bob"]));
        // The sender's command sees the names that the page has sealed.
        let listed = service.run(&["link", "list", &links[0], "--token", &service.token, "--json"]).json();
        let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
        assert_eq!(names, [json!(null), json!("Ada"), json!("Zoë & 茜"), json!("Bob")]);
        for link in &links {
            assert!(link.contains("#v2."), "{link}");
            assert_eq!(service.download(link, &[]), b"hello");
            service.home.run(&["download", link, "-o", "-"]).expect_failure(4, "limit");
        }
        browser.wait_for_text("#download-count", "3").await;
        browser.open_details("#activity").await;
        browser.wait_for_text("#events", "(Ada)").await;
    })
    .await;
}

#[tokio::test]
async fn each_link_is_copied_by_its_own_button() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        let links = send_to(browser, "Ada, Bob", 2).await;
        browser
            .tell("Browser.grantPermissions", json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}))
            .await;
        for (name, link) in ["Ada", "Bob"].into_iter().zip(&links) {
            browser.click(&format!("button[aria-label='Copy: Link for {name}']")).await;
            browser.wait_for_text("#outcome", &format!("Link for {name} copied.")).await;
            assert_eq!(browser.script("return navigator.clipboard.readText()", json!([])).await, json!(link));
        }
    })
    .await;
}

#[tokio::test]
async fn names_are_checked_before_anything_is_sent() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.write_text("hello").await;
        for (names, words) in [("Ada, Bob, Ada", "Ada appears twice"), (&"x".repeat(65), "too long")] {
            browser.fill_option("#recipients", names).await;
            browser.click("#send").await;
            browser.wait_for_text("#error", words).await;
            assert!(browser.is_visible("#send-form").await, "{names}");
        }
        let links = send_to(browser, "Ada", 1).await;
        assert_eq!(service.download(&links[0], &[]), b"hello");
    })
    .await;
}

#[tokio::test]
async fn link_and_key_are_shown_apart_for_each_recipient() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.open_details("#options").await;
        browser.click("label:has(#apart)").await;
        let links = send_to(browser, "Ada", 1).await;
        let key = browser.value("#key-0").await;
        assert!(!links[0].contains('#') && key.starts_with("v2."), "{links:?} {key}");
        assert_eq!(service.download(&links[0], &["--key", &key]), b"hello");
    })
    .await;
}
