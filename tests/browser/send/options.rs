//! Options of an upload: passphrase, limits, token.

use serde_json::json;

use super::{open_send_page, send};
use crate::support::{Service, chromium};

#[tokio::test]
async fn a_protected_transfer_needs_its_passphrase() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.write_text("hello").await;
        browser.fill_option("#passphrase", "cafe\u{301} ☃").await;
        let link = send(browser).await;
        assert!(link.contains("#v1p."), "{link}");
        let (right, wrong) = (service.home.file("right", "café ☃\n".as_bytes()), service.home.file("wrong", b"tea"));
        service.home.run(&["download", &link, "-o", "-", "--passphrase-file", &wrong]).expect_failure(6, "passphrase");
        assert_eq!(service.download(&link, &["--passphrase-file", &right]), b"hello");
    })
    .await;
}

#[tokio::test]
async fn chosen_limits_are_applied() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.write_text("hello").await;
        browser.open_details("#options").await;
        browser.select("#expires", "86400").await;
        browser.fill_option("#downloads", "1").await;
        let link = send(browser).await;
        let status = service.status(&link).await;
        let lifetime = status["expires_at"].as_u64().unwrap() - status["created_at"].as_u64().unwrap();
        assert_eq!((lifetime, status["max_downloads"].as_u64()), (86_400_000, Some(1)));
        assert_eq!(status["access_proof"], true, "the ID alone would permit downloads");
        assert_eq!(service.download(&link, &[]), b"hello");
        service.home.run(&["download", &link, "-o", "-"]).expect_failure(4, "limit");
    })
    .await;
}

#[tokio::test]
async fn invalid_tokens_report_the_reason() {
    let service = Service::start();
    let tokens = service.run(&["--json", "token", "create", "revoked"]);
    let revoked = tokens.json();
    service.run(&["token", "revoke", revoked["token_id"].as_str().unwrap()]).text();
    let unknown = format!("sgs_0123456789abcdef_{}", "0".repeat(64));
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        for (token, words) in [
            (unknown.as_str(), "does not know this token"),
            ("not a token", "does not know this token"),
            (revoked["token"].as_str().unwrap(), "was revoked"),
        ] {
            browser.fill("#token", token).await;
            browser.click("#use-token").await;
            browser.wait_for_text("#error", words).await;
            assert!(!browser.is_visible("#send-form").await, "{token}");
        }
        browser.use_token(&service.token).await;
        browser.write_text("hello").await;
        let link = send(browser).await;
        assert_eq!(service.download(&link, &[]), b"hello");
    })
    .await;
}

#[tokio::test]
async fn a_token_is_kept_only_on_request() {
    let service = Service::start();
    let secret = service.token.rsplit('_').next().unwrap();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.write_text("hello").await;
        send(browser).await;
        assert!(!browser.stored_data().await.to_string().contains(secret));
        browser.click("#copy-link").await;
        browser.goto(&service.page()).await;
        browser.wait_until_visible("#token").await;

        browser.click("label:has(#keep-token)").await;
        browser.use_token(&service.token).await;
        let stored = browser.stored_data().await;
        assert!(stored["local"].to_string().contains(secret), "{stored}");
        assert!(!stored["session"].to_string().contains(secret) && stored["databases"] == json!([]), "{stored}");
        // Another page of this browser does not ask again.
        browser.goto(&service.page()).await;
        browser.wait_until_visible("#send-form").await;
        assert!(!browser.is_visible("#token").await);
        browser.click("#forget").await;
        browser.wait_until_visible("#token").await;
        assert!(!browser.stored_data().await.to_string().contains(secret));
    })
    .await;
}
