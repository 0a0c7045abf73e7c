//! Requests that are made on the page, and the key files that open what arrives.

use serde_json::json;

use super::open_send_page;
use crate::support::{Browser, Service, chromium, each};

/// A request that was made on the page.
struct Made {
    id: String,
    link: String,
    key_file: String,
}

/// Creates a request on the page, and saves its key file into the home of the service.
async fn make(browser: &Browser, service: &Service, purpose: &str) -> Made {
    browser.click("#request-tab").await;
    browser.fill("#request-for", purpose).await;
    browser.click("#create-request").await;
    browser.wait_until_visible("#request-made").await;
    let link = browser.value("#request-link").await;
    browser.click("#save-key").await;
    let (name, content) = browser.download().await;
    let id = link.split_once("/r/").unwrap().1[..16].to_owned();
    assert_eq!(name, format!("sgsend-request-{id}.key"));
    browser.click("#copy-request").await;
    browser.wait_for_text("#outcome", "Link copied").await;
    browser.click("#request-done").await;
    browser.wait_until_hidden("#request-made").await;
    Made { id, link, key_file: service.home.file(&name, &content) }
}

/// Shows the requests, and opens what has arrived for one.
async fn open_arrivals(browser: &Browser, id: &str) {
    browser.click("#show-requests").await;
    browser.click(&format!("#request-{id} button.open")).await;
}

/// Opens the page again, as on another day, and shows what has arrived with these files.
async fn open_with(browser: &Browser, service: &Service, id: &str, files: &[&str]) {
    open_send_page(browser, service).await;
    open_arrivals(browser, id).await;
    let field = format!("#key-file-{id}");
    browser.wait_until_visible(&field).await;
    browser.choose(&field, files).await;
}

#[tokio::test]
async fn a_request_made_on_the_page_is_opened_with_its_key_file() {
    let service = Service::start();
    let papers = service.home.file("papers.txt", b"hello");
    each(async |browser| {
        open_send_page(browser, &service).await;
        browser.click("#request-tab").await;
        assert!(!browser.is_visible("#sending, #files-panel, #text-panel").await);
        browser.fill("#request-limit", "3").await;
        browser.select("#request-bytes", "1073741824").await;
        browser.select("#request-expires", "2592000").await;
        let made = make(browser, &service, "tax papers & more").await;
        assert!(made.link.ends_with("&for=tax%20papers%20%26%20more"), "{}", made.link);
        let stored = browser.stored_data().await.to_string();
        assert!(!stored.contains("r1.") && !stored.contains("AGE-SECRET"), "{stored}");
        let listed = service.run(&["request", "list", "--json", "--token", &service.token]).json();
        let item = listed["items"].as_array().unwrap().iter().find(|item| item["token_id"] == made.id).unwrap();
        assert_eq!((&item["max_transfers"], &item["max_total_bytes"]), (&json!(3), &json!(1_073_741_824)));
        let lifetime = item["expires_at"].as_u64().unwrap() - item["created_at"].as_u64().unwrap();
        assert_eq!(lifetime, 30 * 86_400_000);

        service.run(&["upload", &papers, "--request", &made.link, "--message", "see <b>below</b>"]).text();
        // The page that has made the request knows its keys.
        open_arrivals(browser, &made.id).await;
        let list = format!("#request-{} .list", made.id);
        let shown = browser.wait_for_text(&list, "papers.txt").await;
        assert!(shown.contains("see <b>below</b>") && shown.contains("5 bytes"), "{shown}");

        open_with(browser, &service, &made.id, &[&papers]).await;
        browser.wait_for_text("#error", "not the key file").await;
        browser.choose(&format!("#key-file-{}", made.id), &[&made.key_file]).await;
        browser.wait_for_text(&list, "papers.txt").await;
        let link = browser.script("return document.querySelector(args).href", format!("{list} a").into()).await;
        browser.goto(link.as_str().unwrap()).await;
        browser.wait_for_text("#file-name", "papers.txt").await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        assert_eq!(browser.download().await, ("papers.txt".to_owned(), b"hello".to_vec()));

        // The command opens it with the same file.
        let folder = tempfile::tempdir_in(service.home.path()).unwrap();
        let download = ["request", "download", &made.id, "-i", &made.key_file, "-o", folder.path().to_str().unwrap()];
        let received = service.run(&[&download[..], &["--json", "--token", &service.token]].concat()).json();
        assert_eq!((received["items"].as_array().unwrap().len(), &received["set_aside"]), (1, &json!([])));
        let path = received["items"][0]["path"].as_str().unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"hello", "{path}");
    })
    .await;
}

#[tokio::test]
async fn the_key_file_must_be_saved() {
    let service = Service::start();
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        browser.click("#request-tab").await;
        browser.click("#create-request").await;
        browser.click("#request-done").await;
        browser.wait_for_text("#error", "Save the key file first").await;
        let warns = "return !dispatchEvent(new Event('beforeunload', { cancelable: true }))";
        assert_eq!(browser.script(warns, json!(null)).await, true);
        browser.click("#copy-request").await;
        browser.wait_for_text("#outcome", "Link copied").await;
        assert_eq!(browser.script(warns, json!(null)).await, true);
        browser.click("#save-key").await;
        browser.wait_for_text("#outcome", "Key file saved").await;
        assert_eq!(browser.script(warns, json!(null)).await, false);
        browser.click("#request-done").await;
        browser.wait_until_visible("#request-panel").await;
        assert_eq!(browser.value_now("#request-link").await, "");
    })
    .await;
}

#[tokio::test]
async fn requests_of_the_command_are_opened_with_its_files() {
    let service = Service::start();
    let created = service.run(&["request", "create", "--json", "--token", &service.token]).json();
    let (id, link) = (created["token_id"].as_str().unwrap(), created["link"].as_str().unwrap());
    let papers = service.home.file("papers.txt", b"hello");
    service.run(&["upload", &papers, "--request", link]).text();
    let saved = service.home.path().join(format!(".config/sgsend/requests/{id}.json"));
    chromium(async |browser| {
        let identity = created["identity_file"].as_str().unwrap();
        open_with(browser, &service, id, &[identity, saved.to_str().unwrap()]).await;
        browser.wait_for_text(&format!("#request-{id} .list"), "papers.txt").await;
    })
    .await;
}

#[tokio::test]
async fn what_was_not_sent_through_the_link_is_set_aside() {
    let service = Service::start();
    let papers = service.home.file("papers.txt", b"hello");
    chromium(async |browser| {
        open_send_page(browser, &service).await;
        let made = make(browser, &service, "papers").await;
        let other = make(browser, &service, "others").await;
        service.run(&["upload", &papers, "--request", &made.link]).text();
        let read = |path: &str| std::fs::read_to_string(path).unwrap();
        let (keys, others) = (read(&made.key_file), read(&other.key_file));
        let secret = |keys: &str| keys.split_once("#r1.").unwrap().1[..43].to_owned();
        let identity = |keys: &str| keys.lines().last().unwrap().to_owned();
        // Without the secret of the link, nobody can tell what was sent through it.
        let unmarked = service.home.file("unmarked", keys.replace(&secret(&keys), &secret(&others)).as_bytes());
        let list = format!("#request-{} .list", made.id);
        open_with(browser, &service, &made.id, &[&unmarked]).await;
        let shown = browser.wait_for_text(&list, "Set aside").await;
        assert!(!shown.contains("papers.txt"), "{shown}");
        let foreign = service.home.file("foreign", keys.replace(&identity(&keys), &identity(&others)).as_bytes());
        open_with(browser, &service, &made.id, &[&foreign]).await;
        browser.wait_for_text(&list, "does not open this upload").await;
    })
    .await;
}
