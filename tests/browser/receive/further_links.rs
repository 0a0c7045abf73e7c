//! The page for recipients under a further link.

use crate::support::{Service, each};

fn link_for(service: &Service, name: &str, options: &[&str]) -> String {
    let file = service.home.file("report.txt", b"hello\n");
    let arguments = [&["upload", &file, "--link", name, "--link", "Somebody else", "--message", "see below"], options];
    let printed = service.run(&arguments.concat()).text();
    printed.lines().next().unwrap().split_once('\t').unwrap().1.to_owned()
}

#[tokio::test]
async fn a_further_link_opens_like_an_own_link() {
    let service = Service::start();
    each(async |browser| {
        let link = link_for(&service, "Ada", &["-d", "1"]);
        browser.goto(&link).await;
        browser.wait_for_text("#file-message", "see below").await;
        browser.wait_for_text("#downloads-left", "1 download left").await;
        assert_eq!(browser.text("#file-name").await, "report.txt");
        browser.click("#preview").await;
        browser.wait_for_text("#shown", "hello").await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        let (name, content) = browser.download().await;
        assert_eq!((name.as_str(), content), ("report.txt", b"hello\n".to_vec()));
        browser.goto(&link).await;
        browser.wait_for_text("#file-name", "Limit reached: downloaded ").await;
    })
    .await;
}

#[tokio::test]
async fn a_further_link_needs_its_key_and_passphrase() {
    let service = Service::start();
    let passphrase = service.home.file("passphrase", b"tea");
    each(async |browser| {
        let link = link_for(&service, "Ada", &["-d", "1", "--passphrase-file", &passphrase]);
        let other = link_for(&service, "Ada", &["-d", "1"]);
        let (page, key) = link.split_once('#').unwrap();
        browser.goto(page).await;
        browser.wait_until_visible("#key-form").await;
        assert!(!browser.is_visible("#state").await, "the id alone shows more than the state");
        browser.fill("#key", other.split_once('#').unwrap().1).await;
        browser.enter("#key").await;
        browser.wait_for_text("#error", "The key is wrong: check that the link is complete").await;
        browser.fill("#key", key).await;
        browser.enter("#key").await;
        browser.wait_until_visible("#passphrase").await;
        browser.fill_option("#passphrase", "coffee").await;
        browser.enter("#passphrase").await;
        browser.wait_for_text("#error", "This did not count as a download").await;
        browser.fill_option("#passphrase", "tea").await;
        browser.enter("#passphrase").await;
        browser.wait_for_text("#downloads-left", "1 download left").await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        browser.download().await;
    })
    .await;
}

#[tokio::test]
async fn a_closed_link_says_so() {
    let service = Service::start();
    each(async |browser| {
        let link = link_for(&service, "Ada", &[]);
        service.run(&["link", "revoke", &link]).text();
        browser.goto(&link).await;
        browser.wait_for_text("#file-name", "This link was closed").await;
        assert!(!browser.is_visible("#download").await);
    })
    .await;
}
