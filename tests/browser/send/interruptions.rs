//! Broken and stopped uploads.

use crate::support::{Service, chromium, content};

#[tokio::test]
async fn an_upload_resumes_after_a_broken_connection() {
    let service = Service::on_disk();
    chromium(async |browser| {
        let proxy = service.half_sent(browser).await;
        proxy.open();
        browser.visible("#sent").await;
        let link = browser.value("#link").await.replace(&proxy.url, &service.serving.public);
        assert!(service.download(&link, &[]) == content(9_000_000), "the content differs");
    })
    .await;
}

#[tokio::test]
async fn a_stopped_upload_is_deleted() {
    let service = Service::on_disk();
    chromium(async |browser| {
        let proxy = service.half_sent(browser).await;
        proxy.let_others_in();
        browser.click("#cancel").await;
        browser.says("#outcome", "What was sent was deleted").await;
        assert!(browser.shows("#send-form").await && browser.shows("#chosen li").await);
        proxy.open();
        let stats = service.run(&["stats", "--json"]).json();
        assert_eq!(stats["bytes_stored"], 0, "{stats}");
    })
    .await;
}
