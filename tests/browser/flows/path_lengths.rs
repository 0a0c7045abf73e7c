//! Length of the main paths in clicks.
//!
//! From a link to the saved file, from the form to the copied link, and from the overview to the biggest transfers of a
//! token.

use std::cell::Cell;

use crate::support::{Browser, Service, chromium};

/// A person who uses a page with a mouse; each click counts.
struct Person<'a> {
    browser: &'a Browser,
    clicks: Cell<u32>,
}

impl<'a> Person<'a> {
    fn at(browser: &'a Browser) -> Self {
        Self { browser, clicks: Cell::new(0) }
    }

    async fn click(&self, selector: &str) {
        self.clicks.set(self.clicks.get() + 1);
        self.browser.click(selector).await;
    }

    /// Chooses a file: a click, and the dialog of the system.
    async fn choose(&self, path: &str) {
        self.browser.wait_until_visible("label[for=files]").await;
        self.clicks.set(self.clicks.get() + 1);
        self.browser.choose("#files", &[path]).await;
    }
}

#[tokio::test]
async fn a_recipient_saves_the_file_with_one_click() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &[]);
    chromium(async |browser| {
        let person = Person::at(browser);
        browser.goto(&link).await;
        person.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        assert_eq!(browser.download().await, ("a.txt".to_owned(), b"hello".to_vec()));
        assert_eq!(person.clicks.get(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_sender_with_a_kept_token_copies_the_link_with_three_clicks() {
    let service = Service::start();
    let file = service.home.file("a.txt", b"hello");
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.fill("#token", &service.token).await;
        browser.click("label:has(#keep-token)").await;
        browser.click("#use-token").await;
        browser.wait_until_visible("#send-form").await;

        let person = Person::at(browser);
        browser.goto(&service.page()).await;
        person.choose(&file).await;
        person.click("#send").await;
        person.click("#copy-link").await;
        browser.wait_for_text("#outcome", "Link copied").await;
        assert_eq!(person.clicks.get(), 3);
        assert_eq!(service.download(&browser.value("#link").await, &[]), b"hello");
    })
    .await;
}

#[tokio::test]
async fn an_operator_sees_the_biggest_transfers_of_a_token_after_two_clicks() {
    let service = Service::start();
    let token = service.run(&["--json", "token", "create", "Ada"]).json();
    let (id, token) = (token["token_id"].as_str().unwrap(), token["token"].as_str().unwrap());
    let upload = |size: usize| service.upload("a.bin", &vec![7; size], &["--token", token]);
    let links = [1_000, 900_000, 40_000].map(upload);
    service.upload("larger.bin", &vec![7; 2_000_000], &[]);
    chromium(async |browser| {
        crate::admin::open(browser, &service, "overview").await;
        let person = Person::at(browser);
        person.click("#views a[href='#tokens']").await;
        person.click(&format!("#token-{id} a")).await;
        let biggest = format!("#transfer-{}", crate::admin::id(&links[1]));
        browser.wait_until_visible(&format!("{biggest}:first-child")).await;
        let order = "return Array.from(document.querySelectorAll('#transfer-list tr'), ({ id }) => id.slice(9))";
        let sorted = [&links[1], &links[2], &links[0]].map(|link| crate::admin::id(link));
        assert_eq!(browser.script(order, ().into()).await, serde_json::json!(sorted));
        assert_eq!(person.clicks.get(), 2);
    })
    .await;
}
