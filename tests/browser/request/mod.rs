//! The guests' page of a request: files sent from browsers, downloaded by the owner with the command.

mod accessibility;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{BlockingProxy, Browser, Direction, Service, Theme, axe, chromium, content, each};

/// Maximum size of the page for guests with everything it loads, headers included, in bytes.
const MAX_PAGE_BYTES: u64 = 60_000;

/// Size of a block of a large file, in bytes.
const BLOCK: usize = 1 << 20;

/// A request of the service's operator.
struct Request {
    link: String,
    id: String,
}

impl Request {
    fn of(service: &Service, options: &[&str]) -> Self {
        let created = service.run(&[&["request", "create", "--json"], options].concat()).json();
        let text = |member: &str| created[member].as_str().unwrap_or_else(|| panic!("{created}")).to_owned();
        Self { link: text("link"), id: text("token_id") }
    }

    /// Returns the JSON output of a download, and the files in the order of arrival.
    fn download(&self, service: &Service) -> (Value, Vec<Vec<u8>>) {
        let (received, paths) = self.download_files(service);
        (received, paths.iter().map(|path| fs::read(path).unwrap_or_default()).collect())
    }

    /// Returns the JSON output of a download, and the paths of the files in the order of arrival.
    fn download_files(&self, service: &Service) -> (Value, Vec<PathBuf>) {
        let inbox = service.home.path().join(format!("inbox-{}", self.id));
        fs::create_dir_all(&inbox).unwrap();
        let download = ["request", "download", &self.id, "-o", inbox.to_str().unwrap(), "--json"];
        let received = service.run(&download).json();
        let items = received["items"].as_array().unwrap_or_else(|| panic!("{received}")).clone();
        let paths = items.iter().map(|item| item["path"].as_str().unwrap().into()).collect();
        (received, paths)
    }
}

async fn send(browser: &Browser, service: &Service, name: &str, bytes: &[u8]) {
    browser.wait_until_visible("#guest-form").await;
    browser.choose("#files", &[&service.home.file(name, bytes)]).await;
    browser.wait_until_visible("#chosen li").await;
    browser.click("#send").await;
    browser.wait_until_visible("#sent").await;
}

#[tokio::test]
async fn guests_send_files_that_only_the_owner_opens() {
    let service = Service::start();
    each(async |browser| {
        let request = Request::of(&service, &["--for", "tax papers <b>2026</b>"]);
        browser.goto(&request.link).await;
        browser.wait_for_text("#purpose-text", "tax papers <b>2026</b>").await;
        let address = browser.script("return location.href", json!(null)).await;
        assert!(!address.as_str().unwrap().contains('#'), "the secret stays in the address: {address}");
        browser.fill("#sender", "Grace").await;
        browser.fill("#note", "see attached").await;
        send(browser, &service, "papers.txt", b"hello").await;
        assert_eq!(browser.stored_data().await.to_string().matches("r1.").count(), 0);
        let (received, files) = request.download(&service);
        assert_eq!(files, [b"hello"]);
        assert_eq!(received["items"][0]["message"], "Grace\n\nsee attached", "{received}");
        assert_eq!(received["set_aside"], json!([]));
        browser.click("#another").await;
        send(browser, &service, "more.bin", &content(9_000_000)).await;
        assert!(request.download(&service).1 == [content(9_000_000)], "the second file differs");
    })
    .await;
}

#[tokio::test]
async fn a_guest_deletes_an_upload_until_it_was_downloaded() {
    let service = Service::start();
    chromium(async |browser| {
        let request = Request::of(&service, &[]);
        browser.goto(&request.link).await;
        send(browser, &service, "a.txt", b"hello").await;
        browser.click("#delete").await;
        browser.click("#confirm-yes").await;
        browser.wait_for_text("#outcome", "Deleted").await;
        assert_eq!(request.download(&service).1, [[0; 0]; 0]);
        send(browser, &service, "b.txt", b"hello").await;
        assert_eq!(request.download(&service).1, [b"hello"]);
        browser.click("#delete").await;
        browser.click("#confirm-yes").await;
        browser.wait_for_text("#error", "has already downloaded your files").await;
    })
    .await;
}

#[tokio::test]
async fn links_that_do_not_work_say_what_to_do() {
    let service = Service::start();
    chromium(async |browser| {
        let request = Request::of(&service, &["--max", "1"]);
        browser.goto(&request.link[..request.link.len() - 5]).await;
        browser.wait_for_text("h1", "This link is incomplete").await;
        assert!(!browser.is_visible("#guest-form").await);
        browser.goto("about:blank").await;
        let page = request.link.split_once('#').unwrap().0;
        browser.goto(page).await;
        browser.wait_for_text("h1", "Open the link once more").await;
        for wrong in [page, &request.link.replace(&request.id, "0123456789abcdef")] {
            browser.fill("#request-link", wrong).await;
            browser.enter("#request-link").await;
            browser.wait_for_text("#error", "not a complete link").await;
            assert!(!browser.is_visible("#guest-form").await);
        }
        browser.fill("#request-link", &request.link).await;
        browser.enter("#request-link").await;
        send(browser, &service, "a.txt", b"hello").await;
        browser.click("#another").await;
        browser.choose("#files", &[&service.home.file("b.txt", b"more")]).await;
        browser.click("#send").await;
        browser.wait_for_text("#error", "Limit reached").await;
        service.run(&["request", "revoke", &request.id]);
        browser.click("#send").await;
        browser.wait_for_text("#error", "has ended it").await;
    })
    .await;
}

/// Writes a file of blocks that differ from each other.
fn write_blocks(path: &Path, bytes: u64) {
    let (mut file, mut block) = (File::create(path).unwrap(), content(BLOCK));
    for start in (0..bytes).step_by(BLOCK) {
        block[..8].copy_from_slice(&start.to_be_bytes());
        let length = usize::try_from(bytes - start).map_or(BLOCK, |left| left.min(BLOCK));
        file.write_all(&block[..length]).unwrap();
    }
}

/// Returns whether two files have the same content, without holding them in memory.
fn are_equal(paths: [&Path; 2]) -> bool {
    let [mut one, mut other] = paths.map(|path| File::open(path).unwrap());
    if one.metadata().unwrap().len() != other.metadata().unwrap().len() {
        return false;
    }
    let mut blocks = [vec![0; BLOCK], vec![0; BLOCK]];
    loop {
        let length = one.read(&mut blocks[0]).unwrap();
        other.read_exact(&mut blocks[1][..length]).unwrap();
        if length == 0 || blocks[0][..length] != blocks[1][..length] {
            return length == 0;
        }
    }
}

/// `SGSEND_GUEST_BYTES` sets the size of the file.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_a_cut_connection() {
    let bytes = std::env::var("SGSEND_GUEST_BYTES").map_or(24_000_000, |text| text.parse().unwrap());
    let service = Service::on_disk_with(&["--max-size", &(bytes * 2).to_string()]);
    let sent = service.home.path().join("large.bin");
    write_blocks(&sent, bytes);
    chromium(async |browser| {
        let request = Request::of(&service, &[]);
        let proxy = BlockingProxy::to(&service.serving.public);
        let (_, rest) = request.link.split_once("/r/").unwrap();
        browser.goto(&format!("{}/r/{rest}", proxy.url)).await;
        browser.wait_until_visible("#guest-form").await;
        browser.choose("#files", &[sent.to_str().unwrap()]).await;
        browser.wait_until_visible("#chosen li").await;
        proxy.close_after(Direction::Upstream, bytes / 2);
        browser.click("#send").await;
        tokio::task::block_in_place(|| proxy.wait());
        proxy.open();
        browser.patiently("the upload to finish", async || browser.is_visible("#sent").await.then_some(())).await;
        let (_, files) = request.download_files(&service);
        assert!(are_equal([&files[0], &sent]), "the file differs");
    })
    .await;
}

#[tokio::test]
async fn the_switch_of_languages_keeps_the_link() {
    let service = Service::start();
    chromium(async |browser| {
        let request = Request::of(&service, &["--for", "tax & papers"]);
        browser.goto(&request.link).await;
        browser.wait_until_visible("#guest-form").await;
        browser.select("#language", "ar").await;
        browser.wait_for_text("#title", "أرسل ملفات").await;
        browser.wait_for_text("#purpose-text", "tax & papers").await;
        assert!(!browser.address().await.contains('#'), "the secret stays in the address");
        let stored = browser.stored_data().await.to_string();
        assert!(stored.contains("sgsend-language=ar") && !stored.contains("r1."), "{stored}");
        send(browser, &service, "a.txt", b"hello").await;
        assert_eq!(request.download(&service).1, [b"hello"]);
    })
    .await;
}

#[tokio::test]
async fn the_page_for_guests_is_small() {
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&Request::of(&service, &[]).link).await;
        browser.wait_for_text("#max-size", "At most").await;
        let bytes = browser.received_bytes(&service.serving.public).await;
        println!("the page for guests: {bytes} bytes");
        assert!((20_000..=MAX_PAGE_BYTES).contains(&bytes), "{bytes} bytes");
    })
    .await;
}

#[tokio::test]
async fn guests_without_scripts_or_https_read_what_to_do() {
    let service = Service::start();
    chromium(async |browser| {
        let request = Request::of(&service, &[]);
        browser.before_scripts("Object.defineProperty(globalThis, 'isSecureContext', { value: false })").await;
        browser.goto(&request.link).await;
        browser.wait_for_text("#why-not", "https").await;
        assert!(!browser.is_visible("#guest-form, #link-form").await);
        browser.tell("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        browser.goto("about:blank").await;
        browser.goto(&request.link).await;
        browser.wait_for_text("#without-script", "sgsend upload FILES --request").await;
        assert!(!browser.is_visible("#guest-form, #link-form, #progress, #sent, #security").await);
    })
    .await;
}

#[tokio::test]
async fn the_owner_sees_requests_and_revokes_them_on_the_page() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.wait_until_visible("#token-form").await;
        assert!(!browser.is_visible("#show-requests").await, "requests are shown without a token");
        browser.use_token(&service.token).await;
        browser.click("#show-requests").await;
        browser.wait_for_text("#no-requests", "no requests").await;
        browser.click("#show-requests").await;
        browser.wait_until_hidden("#inbox").await;
        let created = service.run(&["request", "create", "--max", "3", "--json", "--token", &service.token]).json();
        let id = created["token_id"].as_str().unwrap().to_owned();
        browser.click("#show-requests").await;
        let shown = browser.wait_for_text("#requests", &id).await;
        assert!(shown.contains("active · Arrived: 0 of 3 · Expires"), "{shown}");
        for variant in [(Theme::Light, 320), (Theme::Dark, 1280)] {
            browser.check_accessible(&axe, "the list of requests", &[variant]).await;
        }
        // One list at a time.
        browser.click("#show-mine").await;
        browser.wait_until_visible("#mine").await;
        assert!(!browser.is_visible("#inbox").await);
        browser.click("#show-requests").await;
        browser.wait_until_visible("#inbox").await;
        assert!(!browser.is_visible("#mine").await);
        let listed = || service.run(&["request", "list", "--json", "--token", &service.token]).json();
        browser.click("#requests button").await;
        browser.click("#revocation-no").await;
        assert_eq!(listed()["items"][0]["status"], "active");
        browser.click("#requests button").await;
        browser.click("#revocation-yes").await;
        browser.wait_for_text("#requests", "revoked").await;
        assert_eq!(listed()["items"][0]["status"], "revoked");
        browser.click("#forget").await;
        browser.wait_until_hidden("#inbox").await;
    })
    .await;
}
