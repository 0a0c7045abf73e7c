//! Firefox: transfers between the pages and the command line.

use crate::support::{Service, content, firefox};

#[tokio::test]
async fn links_of_the_command_line_open() {
    let service = Service::start();
    firefox(async |browser| {
        for size in [0, 1, 1_048_520, 2_500_000] {
            let link = service.upload("отчёт 報告.bin", &content(size), &["-d", "1"]);
            browser.goto(&link).await;
            assert!(!browser.address().await.contains('#'), "the key is still in the URL");
            browser.click("#download").await;
            browser.wait_for_text("#outcome", "Download finished").await;
            let (name, got) = browser.download().await;
            assert_eq!((name.as_str(), got.len()), ("отчёт 報告.bin", size));
            assert!(got == content(size), "the content of {size} bytes differs");
            assert_eq!(service.downloads(&link).await, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_keys_and_passphrases_count_no_download() {
    let service = Service::start();
    let passphrase = service.home.file("passphrase", b"tea");
    let link = service.upload("a.txt", b"hello", &["-d", "1", "--passphrase-file", &passphrase]);
    let other = service.upload("b.txt", b"other", &["-d", "1"]);
    firefox(async |browser| {
        browser.goto(&link).await;
        browser.fill_option("#passphrase", "coffee").await;
        browser.enter("#passphrase").await;
        browser.wait_for_text("#error", "passphrase").await;
        browser
            .goto(&format!(
                "{}#{}",
                other.split_once('#').unwrap().0,
                link.split_once('#').unwrap().1.replace("v1p", "v1")
            ))
            .await;
        browser.wait_for_text("#error", "The key is wrong").await;
        assert_eq!((service.downloads(&link).await, service.downloads(&other).await), (0, 0));
        browser.goto(&link).await;
        browser.fill_option("#passphrase", "tea").await;
        browser.enter("#passphrase").await;
        browser.click("#preview").await;
        browser.wait_for_text("#shown pre", "hello").await;
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn resuming_an_interrupted_download_counts_no_second_download() {
    let service = Service::on_disk();
    let original = content(6 * 1024 * 1024);
    let link = service.upload("large.bin", &original, &["-d", "1"]);
    firefox(async |browser| {
        let proxy = service.start_partial_download(browser, &link).await;
        proxy.open();
        browser.wait_for_text("#outcome", "Download finished").await;
        assert!(browser.download().await.1 == original, "the content differs");
        assert_eq!(service.downloads(&link).await, 1);
    })
    .await;
}

#[tokio::test]
async fn files_texts_and_folders_are_sent() {
    let service = Service::start();
    let names = [service.home.file("one.txt", b"one"), service.home.file("two.bin", &content(1_500_000))];
    firefox(async |browser| {
        browser.goto(&service.page()).await;
        browser.use_token(&service.token).await;
        browser.choose("#files", &[&names[1]]).await;
        browser.fill_option("#passphrase", "tea").await;
        browser.fill_option("#downloads", "1").await;
        browser.click("#send").await;
        browser.wait_until_visible("#sent").await;
        let (link, passphrase) = (browser.value("#link").await, service.home.file("passphrase", b"tea"));
        assert!(service.download(&link, &["--passphrase-file", &passphrase]) == content(1_500_000));
        browser.wait_for_text("#status", "limit reached").await;

        browser.click("#another").await;
        browser.write_text("Grüße").await;
        browser.click("#send").await;
        browser.wait_until_visible("#sent").await;
        assert_eq!(service.download(&browser.value("#link").await, &[]), "Grüße".as_bytes());

        browser.click("#another").await;
        browser.choose("#files", &[&names[0], &names[1]]).await;
        browser.click("#send").await;
        browser.wait_until_visible("#sent").await;
        service.home.run(&["download", &browser.value("#link").await, "-o", "got"]).text();
        assert_eq!(std::fs::read(service.home.path().join("got/one.txt")).unwrap(), b"one");
        browser.click("#delete").await;
        browser.click("#confirm-yes").await;
        browser.wait_for_text("#status", "deleted").await;
    })
    .await;
}
