//! The pages behind nginx under a sub-path, with the configuration of `docs/proxies.md`.

use serde_json::json;

use crate::receive::pdf;
use crate::support::{Browser, Home, Nginx, Service, Serving, each_with_any_certificate};

type Proxied = Service<Nginx>;

/// Sends a PDF file, which is larger than the default limit of nginx for bodies; returns its link.
async fn send(browser: &Browser, service: &Proxied, file: &[u8]) -> String {
    browser.goto(&service.page()).await;
    browser.use_token(&service.token).await;
    browser.choose("#files", &[&service.home.file("red.pdf", file)]).await;
    browser.wait_for_text("#chosen", "red.pdf").await;
    browser.fill_option("#downloads", "1").await;
    browser.click("#send").await;
    browser.wait_until_visible("#sent").await;
    browser.click("#copy-link").await;
    browser.value("#link").await
}

async fn list_own(browser: &Browser, link: &str) {
    browser.click("#show-mine").await;
    let row = format!("#mine-{}", &link.split_once("/d/").unwrap().1[..32]);
    browser.wait_for_text(&row, "red.pdf").await;
    browser.click(&format!("{row} button:not(.danger)")).await;
    browser.fill("#edit-downloads", "2").await;
    browser.click("#edit-yes").await;
    browser.wait_for_text(&row, "0 of 2").await;
}

/// Previews and saves the file.
async fn receive(browser: &Browser, service: &Proxied, link: &str, file: &[u8]) {
    browser.goto(link).await;
    browser.click("#preview").await;
    browser.wait_for_text("#pdf-page", "Page 1 of 1").await;
    browser.click("#download").await;
    browser.wait_for_text("#outcome", "Download finished").await;
    assert!(browser.download().await == ("red.pdf".to_owned(), file.to_vec()), "the file differs");
    let id = &link.split_once("/d/").unwrap().1[..32];
    let listed = service.run(&["status", id, "--json"]).json();
    assert_eq!(listed["download_count"], 1, "{listed}");
}

/// Sends a file through a request link; the owner downloads it with the command.
async fn send_for_request(browser: &Browser, service: &Proxied) {
    let created = service.run(&["request", "create", "--for", "tax papers", "--json"]).json();
    browser.goto(created["link"].as_str().unwrap()).await;
    browser.wait_for_text("#purpose-text", "tax papers").await;
    browser.choose("#files", &[&service.home.file("papers.txt", b"hello")]).await;
    browser.wait_until_visible("#chosen li").await;
    browser.click("#send").await;
    browser.wait_until_visible("#sent").await;
    let id = created["token_id"].as_str().unwrap();
    let received = service.run(&["request", "download", id, "--json"]).json();
    let path = service.home.path().join(received["items"][0]["path"].as_str().unwrap_or_else(|| panic!("{received}")));
    assert_eq!(std::fs::read(path).unwrap(), b"hello");
}

async fn administer(browser: &Browser, service: &Proxied, link: &str) {
    let id = &link.split_once("/d/").unwrap().1[..32];
    crate::admin::open(browser, service, "overview").await;
    browser.wait_until_visible("#plots svg").await;
    browser.goto(&format!("{}#transfers", service.admin_page())).await;
    browser.wait_until_visible(&format!("#transfer-{id}")).await;
    browser.goto(&format!("{}#transfer/{id}", service.admin_page())).await;
    browser.click("#remove").await;
    browser.click("#confirm-yes").await;
    browser.wait_for_text("#state", "deleted").await;
    browser.goto(link).await;
    browser.wait_for_text("h1", "This file was deleted").await;
}

/// Runs all flows in both browsers, over this storage.
pub(crate) async fn check_flows(storage: &str, upload_mode: &str) {
    if !Nginx::is_installed() {
        return;
    }
    let home = Home::new();
    let nginx = Nginx::start(&home, storage, |file| file);
    let service = Service::of(home, nginx);
    let mut file = pdf("");
    file.extend(vec![b'\n'; 3_000_000]);
    each_with_any_certificate(async |browser| {
        let link = send(browser, &service, &file).await;
        assert!(link.starts_with(&format!("{}/d/", service.serving.public())), "{link}");
        let mode = browser.script("return (await fetch('health')).json().then(({ mode }) => mode.upload)", json!(null));
        assert_eq!(mode.await, upload_mode);
        list_own(browser, &link).await;
        receive(browser, &service, &link, &file).await;
        send_for_request(browser, &service).await;
        administer(browser, &service, &link).await;
    })
    .await;
}

#[tokio::test]
async fn all_flows_work_under_a_sub_path() {
    check_flows("memory:", "bytes").await;
}
