//! The page for recipients with keys of their own, and for signed transfers.

use sgsend::domain::people::recipient_keys::NewIdentity;
use sgsend::domain::timestamp::Timestamp;

use crate::support::{Service, each};

/// Returns the public key and the private key of a new recipient.
fn new_key() -> (String, String) {
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
        browser.wait_for_text("#error", "That is no private key").await;
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

#[tokio::test]
async fn a_signed_transfer_says_that_the_page_does_not_check_it() {
    let service = Service::start();
    let key = ssh_key::private::Ed25519Keypair::from_seed(&[9; 32]);
    let key = ssh_key::private::PrivateKey::new(ssh_key::private::KeypairData::from(key), "").unwrap();
    let file = service.home.file("id", key.to_openssh(ssh_key::LineEnding::LF).unwrap().as_bytes());
    each(async |browser| {
        let link = service.upload("report.txt", b"hello\n", &[&format!("--sign={file}")]);
        browser.goto(&link).await;
        browser.wait_for_text("#outcome", "does not check signatures").await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        assert_eq!(browser.download().await.1, b"hello\n");
    })
    .await;
}
