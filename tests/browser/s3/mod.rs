//! Payload transfers directly between a page and a bucket.

#[cfg(feature = "lambda")]
mod lambda;

use crate::support::{Browser, RecordingProxy, SentRequest, Service, Serving, chromium, content, each};

/// Content size in bytes, more than two parts.
const SIZE: usize = 20_000_000;

async fn send<S: Serving>(browser: &Browser, service: &Service<S>, page: &str, original: &[u8]) -> String {
    browser.goto(page).await;
    browser.use_token(&service.token).await;
    browser.choose("#files", &[&service.home.file("large.bin", original)]).await;
    browser.fill_option("#downloads", "2").await;
    browser.click("#send").await;
    browser.wait_until_visible("#sent").await;
    browser.value("#link").await
}

async fn receive(browser: &Browser, link: &str) -> Vec<u8> {
    browser.goto(link).await;
    browser.click("#download").await;
    browser.wait_for_text("#outcome", "Download finished").await;
    browser.download().await.1
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn payloads_do_not_pass_through_the_service() {
    let service = Service::start();
    each(async |browser| {
        for size in [0, 1_000, 5_000_000, SIZE] {
            let (tap, original) = (RecordingProxy::to(&service.serving.public), content(size));
            let link = send(browser, &service, &format!("{}/", tap.url), &original).await;
            assert_eq!(service.status(&link).await["mode"]["upload"], "presigned");
            assert!(service.download(&link, &[]) == original, "{size} bytes");
            assert!(receive(browser, &link).await == original, "{size} bytes");
            assert_eq!(service.downloads(&link).await, 2);
            let heard = tap.recorded().len();
            assert!(heard < 1_000_000, "the service transferred {heard} bytes");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn the_store_receives_no_secret() {
    let service = Service::start();
    let endpoint = std::env::var("SGSEND_TEST_S3_ENDPOINT").unwrap();
    chromium(async |browser| {
        let link = send(browser, &service, &service.page(), &content(SIZE)).await;
        receive(browser, &link).await;
        let requests = browser.requests().await;
        let to_store: Vec<&SentRequest> =
            requests.iter().filter(|request| request.url.starts_with(&endpoint)).collect();
        assert!(to_store.len() > 3, "{to_store:?}");
        let id = link.split("/d/").nth(1).unwrap().split('#').next().unwrap();
        for request in to_store {
            let names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
            assert!(!names.iter().any(|name| name.starts_with("x-sgsend") || *name == "authorization"), "{names:?}");
            let referrers = request.headers.iter().filter(|(name, _)| name == "referer");
            assert!(referrers.clone().all(|(_, value)| !value.contains(id)), "{request:?}");
            assert!(!request.holds(service.token.as_bytes()));
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn a_bucket_without_cors_falls_back_to_the_service() {
    let closed = crate::support::bucket::fresh().await.to_string();
    let service = Service::over(&closed, &[]);
    chromium(async |browser| {
        browser.expect_page_error("CORS");
        let original = content(5_000_000);
        let link = send(browser, &service, &service.page(), &original).await;
        assert!(service.download(&link, &[]) == original);
        assert!(receive(browser, &link).await == original);
        assert_eq!(service.downloads(&link).await, 2);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs an S3 server: tests/s3.sh"]
async fn all_flows_work_behind_nginx_under_a_sub_path() {
    let bucket = crate::support::open_bucket();
    crate::flows::behind_nginx::check_flows(&bucket.to_string(), "presigned").await;
}
