//! Tokens.

use super::open;
use crate::support::{Service, chromium};

#[tokio::test]
async fn a_token_is_created_with_limits_and_works() {
    let service = Service::start();
    chromium(async |browser| {
        open(browser, &service, "tokens").await;
        for (field, wrong) in [("#token-expiry", "soon"), ("#token-transfers", "1.5"), ("#token-bytes", "-1 GiB")] {
            browser.fill("#token-name", "from the page").await;
            browser.fill(field, wrong).await;
            browser.click("#token-form button").await;
            browser.text("#error").await;
            browser
                .until("the field to be marked", async || {
                    browser.is_visible(&format!("{field}[aria-invalid=true]")).await.then_some(())
                })
                .await;
            assert!(!browser.is_visible("#created").await, "{wrong}");
            browser.script("document.querySelector(args).value = ''", field.into()).await;
        }
        browser.fill("#token-expiry", "2 days").await;
        browser.fill("#token-transfers", "1").await;
        browser.fill("#token-bytes", "1 MiB").await;
        browser.click("#token-form button").await;
        let token = browser.value("#created-token").await;
        browser.wait_for_text("#token-list tr.active:first-child", "from the page").await;
        let listed = service.run(&["--json", "token", "list"]).json();
        let listed = listed["items"].as_array().unwrap().iter().find(|item| item["name"] == "from the page").unwrap();
        assert_eq!((&listed["max_transfers"], &listed["max_total_bytes"]), (&1.into(), &1_048_576.into()), "{listed}");
        let lifetime = listed["expires_at"].as_u64().unwrap() - listed["created_at"].as_u64().unwrap();
        assert_eq!(lifetime, 2 * 86_400_000);
        let file = service.home.file("a.txt", b"hello");
        let upload = || {
            let mut command = service.home.sgsend(&["--server", &service.serving.public, "upload", &file]);
            crate::support::FinishedCommand::of(command.env("SGSEND_TOKEN", &token).output().unwrap())
        };
        assert_eq!(service.download(&upload().text(), &[]), b"hello");
        assert_ne!(upload().exit, 0, "the token exceeded its limit");
        // The token is shown once.
        browser.click("#forget-token").await;
        browser.wait_until_hidden("#created").await;
        assert!(
            !browser.script("return document.documentElement.outerHTML", ().into()).await.to_string().contains(&token)
        );
        browser.reload().await;
        browser.wait_for_text("#token-list", "from the page").await;
        assert_eq!(browser.value_now("#created-token").await, "");
    })
    .await;
}

#[tokio::test]
async fn a_token_is_revoked_after_confirmation() {
    let service = Service::start();
    let created = service.run(&["--json", "token", "create", "to be revoked"]).json();
    let (token, row) =
        (created["token"].as_str().unwrap(), format!("#token-{}", created["token_id"].as_str().unwrap()));
    let file = service.home.file("a.txt", b"hello");
    let upload = || {
        let mut command = service.home.sgsend(&["--server", &service.serving.public, "upload", &file]);
        crate::support::FinishedCommand::of(command.env("SGSEND_TOKEN", token).output().unwrap())
    };
    chromium(async |browser| {
        open(browser, &service, "tokens").await;
        browser.click(&format!("{row} button.danger")).await;
        browser.wait_for_text("#confirm", "to be revoked").await;
        browser.click("#confirm-no").await;
        browser.wait_until_hidden("#confirm").await;
        upload().text();
        browser.click(&format!("{row} button.danger")).await;
        browser.click("#confirm-yes").await;
        browser.wait_for_text("#outcome", "is revoked").await;
        browser.wait_for_text("#confirm", "Delete the transfers").await;
        browser.click("#confirm-no").await;
        browser.wait_for_text(&format!("{row}.revoked"), "revoked").await;
        assert!(!browser.is_visible(&format!("{row} button.danger")).await);
        upload().expect_failure(5, "revoked");
    })
    .await;
}

#[tokio::test]
async fn a_token_is_edited() {
    let service = Service::start();
    let created = service.run(&["--json", "token", "create", "to be edited", "--max-transfers", "1"]).json();
    let row = format!("#token-{}", created["token_id"].as_str().unwrap());
    chromium(async |browser| {
        open(browser, &service, "tokens").await;
        browser.click(&format!("{row} button:not(.danger)")).await;
        browser.fill("#edit-expiry", "soon").await;
        browser.enter("#edit-expiry").await;
        browser.wait_for_text("#error", "90 days").await;
        browser.fill("#edit-name", "edited").await;
        browser.fill("#edit-expiry", "2 days").await;
        browser.fill("#edit-transfers", "unlimited").await;
        browser.fill("#edit-bytes", "1 MiB").await;
        browser.enter("#edit-bytes").await;
        browser.wait_for_text("#outcome", "is changed").await;
        browser.wait_for_text(&row, "edited").await;
        browser.wait_until_hidden("#edit-token").await;
    })
    .await;
    let listed = service.run(&["--json", "token", "list"]).json();
    let item = listed["items"].as_array().unwrap().iter().find(|item| item["name"] == "edited").unwrap();
    assert_eq!((&item["max_transfers"], &item["max_total_bytes"]), (&().into(), &1_048_576.into()), "{item}");
    assert!(item["expires_at"].as_u64().unwrap() - item["created_at"].as_u64().unwrap() >= 2 * 86_400_000);
}
