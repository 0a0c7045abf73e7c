//! Options of an upload: passphrase, limits, token.

use serde_json::json;

use super::{open_send_page, send};
use crate::support::{Service, chromium};

#[tokio::test]
async fn a_protected_transfer_needs_its_passphrase() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.fill("#text", "hello").await;
        browser.fill("#passphrase", "cafe\u{301} ☃").await;
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
        browser.fill("#text", "hello").await;
        browser.select("#expires", "86400").await;
        browser.fill("#downloads", "1").await;
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
        browser.fill("#text", "hello").await;
        for (token, words) in [
            (unknown.as_str(), "does not know this sender token"),
            ("not a token", "does not know this sender token"),
            (revoked["token"].as_str().unwrap(), "was revoked"),
        ] {
            browser.fill("#token", token).await;
            browser.click("#send").await;
            browser.wait_for_text("#error", words).await;
            assert!(browser.is_visible("#send-form").await && !browser.is_visible("#sent").await, "{token}");
        }
        // The form still contains the content.
        browser.fill("#token", &service.token).await;
        let link = send(browser).await;
        assert_eq!(service.download(&link, &[]), b"hello");
    })
    .await;
}

#[tokio::test]
async fn a_token_is_kept_only_on_request_and_only_in_the_tab() {
    let service = Service::start();
    let secret = service.token.rsplit('_').next().unwrap();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.fill("#text", "hello").await;
        send(browser).await;
        assert!(!browser.stored_data().await.to_string().contains(secret));
        browser.goto(&service.page()).await;
        assert_eq!(browser.value_now("#token").await, "");

        browser.fill("#text", "hello").await;
        browser.fill("#token", &service.token).await;
        browser.click("label:has(#keep-token)").await;
        send(browser).await;
        let stored = browser.stored_data().await;
        assert!(stored["session"].to_string().contains(secret), "{stored}");
        assert!(!stored["local"].to_string().contains(secret) && stored["databases"] == json!([]), "{stored}");
        browser.goto(&service.page()).await;
        assert_eq!(browser.value("#token").await, service.token);
        // The token is removed once the option is cleared.
        browser.click("label:has(#keep-token)").await;
        browser.fill("#text", "hello").await;
        send(browser).await;
        assert!(!browser.stored_data().await.to_string().contains(secret));
    })
    .await;
}
