//! Logging in and out, and expired sessions.

use super::open;
use crate::support::{Browser, Service, chromium};

/// Deletes the session cookie without the page's knowledge, like an expired session.
async fn forget_session(browser: &Browser) {
    browser.tell("Network.clearBrowserCookies", serde_json::json!({})).await;
}

async fn cookies(browser: &Browser) -> Vec<serde_json::Value> {
    let all = browser.tell("Network.getCookies", serde_json::json!({})).await;
    all["cookies"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_session_takes_the_right_key() {
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&service.admin_page()).await;
        for key in ["no key at all", &service.token] {
            browser.fill("#key", key).await;
            browser.click("#session button").await;
            browser.wait_for_text("#error", "not the admin key").await;
            assert!(!browser.is_visible("#admin").await && !browser.is_visible("#views").await, "{key}");
            assert_eq!(browser.value_now("#key").await, "", "the field still contains the key");
            assert!(cookies(browser).await.is_empty());
        }
        browser.fill("#key", &service.admin_key()).await;
        browser.click("#session button").await;
        browser.wait_until_visible("#overview").await;
        assert!(!browser.is_visible("#login").await);
        let stored = cookies(browser).await;
        assert_eq!((stored.len(), &stored[0]["httpOnly"], &stored[0]["sameSite"]), (1, &true.into(), &"Strict".into()));
        assert!(!stored[0].to_string().contains(&service.admin_key()), "the cookie contains the key");
        assert!(!browser.stored_data().await.to_string().contains(&service.admin_key()), "the browser stores the key");
        // The session survives a reload.
        browser.reload().await;
        browser.wait_until_visible("#overview").await;
        assert!(!browser.is_visible("#login").await);
    })
    .await;
}

#[tokio::test]
async fn the_login_form_leads_to_the_page() {
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&format!("{}/auth/set-cookie-form", service.serving.admin)).await;
        browser.fill("#key", &service.admin_key()).await;
        browser.enter("#key").await;
        browser.wait_until_visible("#overview").await;
        assert_eq!(browser.address().await, service.admin_page());
    })
    .await;
}

#[tokio::test]
async fn logout_leaves_no_state() {
    let service = Service::start();
    chromium(async |browser| {
        open(browser, &service, "tokens").await;
        assert_eq!(cookies(browser).await.len(), 1);
        browser.click("#end-session").await;
        browser.wait_until_visible("#session").await;
        assert!(!browser.is_visible("#admin").await && !browser.is_visible("#views").await);
        assert!(cookies(browser).await.is_empty());
        browser.reload().await;
        browser.wait_until_visible("#session").await;
    })
    .await;
}

#[tokio::test]
async fn an_expired_session_keeps_the_form_and_creates_nothing() {
    let service = Service::start();
    chromium(async |browser| {
        open(browser, &service, "tokens").await;
        browser.fill("#token-name", "twice pressed").await;
        browser.fill("#token-transfers", "7").await;
        forget_session(browser).await;
        browser.click("#token-form button").await;
        browser.wait_for_text("#login-reason", "The session has ended").await;
        browser.fill("#key", &service.admin_key()).await;
        browser.enter("#key").await;
        browser.wait_for_text("#error", "do it again").await;
        let listed = || service.run(&["--json", "token", "list"]).text().matches("twice pressed").count();
        assert_eq!(listed(), 0, "the token was created without a second click");
        assert_eq!(browser.value("#token-name").await, "twice pressed");
        assert_eq!(browser.value("#token-transfers").await, "7");
        browser.click("#token-form button").await;
        browser.value("#created-token").await;
        assert_eq!(listed(), 1);
    })
    .await;
}
