//! The page for recipients with keys of their own.

use sgsend::domain::people::recipient_keys::NewIdentity;
use sgsend::domain::timestamp::Timestamp;

use crate::support::{Service, each};

/// Returns the public key and the private key of a new recipient.
pub(super) fn new_key() -> (String, String) {
    let new = NewIdentity::generate(Timestamp::from_millis(0));
    (new.recipient.to_string(), new.file.lines().last().unwrap().to_owned())
}

#[tokio::test]
async fn a_link_for_recipients_opens_with_a_private_key() {
    let service = Service::start();
    let ((public, secret), (_, other)) = (new_key(), new_key());
    each(async |browser| {
        let link = service.upload("report.txt", b"hello\n", &["--to", &public, "-d", "1"]);
        browser.goto(&link).await;
        browser.wait_until_visible("#identity-form").await;
        assert!(!browser.is_visible("#download").await);
        browser.fill("#identity", "no key").await;
        browser.enter("#identity").await;
        browser.wait_for_text("#error", "That is not a private key").await;
        browser.fill("#identity", &other).await;
        browser.enter("#identity").await;
        browser.wait_for_text("#error", "not for this key").await;
        browser.fill("#identity", &secret).await;
        browser.enter("#identity").await;
        browser.wait_for_text("#file-name", "report.txt").await;
        assert!(!browser.is_visible("#identity-form").await);
        let stored = browser.stored_data().await.to_string();
        assert!(!stored.contains(&secret), "the private key is stored");
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        let (name, content) = browser.download().await;
        assert_eq!((name.as_str(), content), ("report.txt", b"hello\n".to_vec()));
    })
    .await;
}
