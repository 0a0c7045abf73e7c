//! The page for guests with axe-core, in each language and width, and with the keyboard alone.

use std::cell::Cell;

use serde_json::json;

use super::{Request, send};
use crate::support::{Axe, BlockingProxy, Browser, Direction, Service, Theme, axe, chromium, content};

/// Keys as `WebDriver` names them.
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// Checks the current state of the page.
async fn check(browser: &Browser, axe: &Axe, state: &str) {
    let language = browser.script("return document.documentElement.lang", json!(null)).await;
    let variants = [(Theme::Light, 320), (Theme::Dark, 360), (Theme::Light, 1280)];
    browser.check_accessible(axe, &format!("{language}: {state}"), &variants).await;
}

#[tokio::test]
async fn the_page_for_guests_is_accessible_and_fits_in_each_language() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    chromium(async |browser| {
        let request = Request::of(&service, &["--for", "tax papers of a rather long year that fits nowhere"]);
        let ended = Request::of(&service, &[]);
        service.run(&["request", "revoke", &ended.id]).text();
        let page = request.link.split_once('#').unwrap().0;
        let file = service.home.file("a name that does not fit in a window.txt", b"hello");
        let languages = ["en", "de", "fr", "es", "ja", "ar"];
        for (at, language) in languages.into_iter().enumerate() {
            browser.prefer(Theme::EACH[at % 2]).await;
            let states = Cell::new(0);
            let check = async |state: &str| {
                let number = states.replace(states.get() + 1);
                // axe-core sees the last one.
                let mut widths = [320, 360, 1280];
                widths.rotate_left(number % 3);
                for width in widths {
                    browser.resize(width, 900).await;
                    assert_eq!(browser.overflow().await, 0, "{language}: {state}: {width}");
                }
                browser.check_in_turn(&axe, state, number, (at, languages.len())).await;
            };
            browser.goto(page).await;
            browser.set_language(language).await;
            browser.goto(page).await;
            browser.wait_until_visible("#link-form").await;
            check("without the rest of the link").await;
            browser.fill("#request-link", page).await;
            browser.enter("#request-link").await;
            browser.text("#error").await;
            check("with a wrong link").await;
            browser.goto(&request.link).await;
            browser.wait_until_visible("#guest-form").await;
            browser.click("#send").await;
            browser.text("#error").await;
            check("with nothing to send").await;
            browser.choose("#files", &[&file]).await;
            browser.wait_until_visible("#chosen li").await;
            browser.click("#security summary").await;
            check("with a file").await;
            browser.click("#send").await;
            browser.wait_until_visible("#sent").await;
            browser.click("#transparency summary").await;
            check("sent").await;
            browser.click("#delete").await;
            browser.wait_until_visible("#confirm").await;
            check("asking before a deletion").await;
            browser.click("#confirm-yes").await;
            browser.wait_until_visible("#guest-form").await;
            check("after a deletion").await;
            browser.goto(&ended.link).await;
            browser.wait_until_visible("#guest-form").await;
            browser.choose("#files", &[&file]).await;
            browser.wait_until_visible("#chosen li").await;
            browser.click("#send").await;
            browser.text("#error").await;
            check("of an ended request").await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_for_guests_is_accessible_during_an_upload() {
    let Some(axe) = axe() else { return };
    let service = Service::on_disk();
    chromium(async |browser| {
        for language in ["en", "ar"] {
            let request = Request::of(&service, &[]);
            let proxy = BlockingProxy::to(&service.serving.public);
            let link = request.link.replace(&service.serving.public, &proxy.url);
            browser.goto(link.split_once('#').unwrap().0).await;
            browser.set_language(language).await;
            browser.goto(&link).await;
            browser.wait_until_visible("#guest-form").await;
            browser.choose("#files", &[&service.home.file("large.bin", &content(12_000_000))]).await;
            browser.wait_until_visible("#chosen li").await;
            proxy.close_after(Direction::Upstream, 4_000_000);
            browser.click("#send").await;
            tokio::task::block_in_place(|| proxy.wait());
            browser.wait_until_visible("#progress").await;
            check(browser, &axe, "uploading").await;
            proxy.open();
            browser.wait_until_visible("#sent").await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_page_for_guests_is_accessible_without_https() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    chromium(async |browser| {
        browser.before_scripts("Object.defineProperty(globalThis, 'isSecureContext', { value: false })").await;
        browser.goto(&Request::of(&service, &[]).link).await;
        browser.wait_for_text("#why-not", "https").await;
        check(browser, &axe, "on plain http").await;
    })
    .await;
}

#[tokio::test]
async fn guests_need_only_the_keyboard() {
    let service = Service::start();
    chromium(async |browser| {
        let request = Request::of(&service, &["--for", "tax papers"]);
        let page = request.link.split_once('#').unwrap().0;
        browser.goto(page).await;
        browser.wait_until_visible("#link-form").await;
        assert_eq!(browser.focused().await, "request-link");
        browser.fill("#request-link", &request.link).await;
        browser.press(ENTER).await;
        browser.wait_until_visible("#guest-form").await;
        assert_eq!(browser.focused().await, "title");
        let mut reached = Vec::new();
        while reached.last().is_none_or(|id| id != "send") && reached.len() < 10 {
            browser.tab().await;
            reached.push(browser.focused().await);
        }
        assert_eq!(reached, ["files", "folder", "sender", "note", "send"]);
        // The dialog of the system, which opens with Enter, is not part of the page.
        browser.choose("#files", &[&service.home.file("a.txt", b"hello")]).await;
        browser.wait_until_visible("#chosen li").await;
        browser.press(ENTER).await;
        browser.wait_until_visible("#sent").await;
        let is_focused = async |id: &str| {
            browser.until(id, async || (browser.focused().await == id).then_some(())).await;
        };
        is_focused("sent-title").await;
        for id in ["another", "delete"] {
            browser.tab().await;
            assert_eq!(browser.focused().await, id);
        }
        browser.press(ENTER).await;
        browser.wait_until_visible("#confirm").await;
        assert_eq!(browser.focused().await, "confirm-no");
        browser.press(ESCAPE).await;
        browser.wait_until_hidden("#confirm").await;
        is_focused("delete").await;
        assert_eq!(request.download(&service).1, [b"hello"]);

        browser.goto(&request.link).await;
        send(browser, &service, "b.txt", b"more").await;
        is_focused("sent-title").await;
        for _ in 0..2 {
            browser.tab().await;
        }
        browser.press(ENTER).await;
        browser.wait_until_visible("#confirm").await;
        browser.tab().await;
        assert_eq!(browser.focused().await, "confirm-yes");
        browser.press(ENTER).await;
        browser.wait_for_text("#outcome", "Deleted").await;
        is_focused("title").await;
    })
    .await;
}
