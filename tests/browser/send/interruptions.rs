//! Broken and stopped uploads.

use crate::support::{BufferingProxy, Service, chromium, content};

#[tokio::test]
async fn an_upload_resumes_after_a_broken_connection() {
    let service = Service::on_disk();
    chromium(async |browser| {
        let proxy = service.start_partial_upload(browser).await;
        proxy.open();
        browser.wait_until_visible("#sent").await;
        let link = browser.value("#link").await.replace(&proxy.url, &service.serving.public);
        assert!(service.download(&link, &[]) == content(9_000_000), "the content differs");
    })
    .await;
}

#[tokio::test]
async fn a_stopped_upload_is_deleted() {
    let service = Service::on_disk();
    chromium(async |browser| {
        let proxy = service.start_partial_upload(browser).await;
        proxy.let_others_in();
        browser.click("#cancel").await;
        browser.wait_for_text("#outcome", "The uploaded data was deleted").await;
        assert!(browser.is_visible("#send-form").await && browser.is_visible("#chosen li").await);
        proxy.open();
        let stats = service.run(&["stats", "--json"]).json();
        assert_eq!(stats["bytes_stored"], 0, "{stats}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_passes_a_proxy_that_limits_request_bodies() {
    const MIB: u64 = 1 << 20;
    let service = Service::on_disk();
    let sizes = [(3 * MIB, Some(2 * MIB)), (MIB - 1, None)];
    chromium(async |browser| {
        for (limit, largest) in sizes {
            let proxy = tokio::task::block_in_place(|| BufferingProxy::to(&service.serving.public, limit, 0));
            browser.goto(&format!("{}/", proxy.url)).await;
            browser.use_token(&service.token).await;
            browser.choose("#files", &[&service.home.file("large.bin", &content(9_000_000))]).await;
            browser.wait_for_text("#chosen", "large.bin").await;
            browser.click("#send").await;
            let Some(largest) = largest else {
                browser.wait_for_text("#error", "proxy in front of the server refuses requests of 1 MiB").await;
                return;
            };
            browser.wait_until_visible("#sent").await;
            let link = browser.value("#link").await.replace(&proxy.url, &service.serving.public);
            assert!(service.download(&link, &[]) == content(9_000_000), "the content differs");
            let passed = proxy.uploads().into_iter().filter(|(_, status)| *status == 200).map(|(size, _)| size).max();
            assert_eq!(passed, Some(largest), "{:?}", proxy.uploads());
        }
    })
    .await;
}
