//! Languages of the pages, the branding, and the size of the page for recipients.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::support::{Browser, Kind, Service, Theme, axe, chromium, png};

/// Languages with their direction.
const LANGUAGES: [(&str, &str); 6] =
    [("en", "ltr"), ("de", "ltr"), ("fr", "ltr"), ("es", "ltr"), ("ja", "ltr"), ("ar", "rtl")];
/// Maximum size of the page for recipients with everything it loads, headers included, in bytes.
const MAX_PAGE_BYTES: u64 = 60_000;

/// Returns the controls that are lower than 44 pixels. A box counts with its label, and one of a tree with its margin.
const LOW_CONTROLS: &str = "
    const controls = 'button, select, textarea, summary, header a, footer a, .button, label.check, input:not([type])';
    const all = Array.from(document.querySelectorAll(controls)).filter((control) => control.checkVisibility());
    return all.filter((control) => control.getBoundingClientRect().height < 44).map((control) => control.outerHTML)";

async fn direction(browser: &Browser) -> Value {
    browser.script("return [document.documentElement.lang, document.documentElement.dir]", json!(null)).await
}

#[tokio::test]
async fn pages_have_the_language_of_the_browser() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "1"]);
    for (languages, heading, left) in
        [("de-AT,de", "Link kopieren", "noch 1 Download"), ("xx,en", "Copy link", "1 download left")]
    {
        let preferences = [("intl.accept_languages", json!(languages))];
        let Some(browser) = Browser::start(Kind::Chromium, &preferences).await else { return };
        browser.goto(&link).await;
        browser.wait_for_text("#downloads-left", left).await;
        browser.goto(&service.page()).await;
        browser.use_token(&service.token).await;
        browser.write_text("hello").await;
        browser.click("#send").await;
        browser.wait_for_text("#copy-link", heading).await;
        browser.click("#copy-link").await;
        browser.end().await;
    }
}

#[tokio::test]
async fn the_switch_changes_the_language_and_keeps_the_key() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "1"]);
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.wait_until_visible("#download").await;
        browser.select("#language", "ar").await;
        browser.wait_for_text("#download", "تنزيل").await;
        assert_eq!(direction(browser).await, json!(["ar", "rtl"]));
        assert!(!browser.address().await.contains('#'), "the key is still in the URL");
        let stored = browser.stored_data().await.to_string();
        assert!(stored.contains("sgsend-language=ar"), "{stored}");
        assert!(!stored.contains(link.split_once("#v1.").unwrap().1), "{stored}");
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "a.txt").await;
        assert_eq!(browser.download().await.1, b"hello");
        // The choice holds for the other pages.
        browser.goto(&service.page()).await;
        browser.wait_for_text("#use-token", "متابعة").await;
    })
    .await;
}

#[tokio::test]
async fn pages_are_accessible_and_fit_in_each_language() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    let passphrase = service.home.file("passphrase", b"tea");
    let plain = service.upload("a.txt", b"hello", &["-d", "2", "--message", "see below"]);
    let locked = service.upload("b.txt", b"hello", &["--passphrase-file", &passphrase]);
    let ended = service.upload("c.txt", b"hello", &["-d", "1"]);
    service.download(&ended, &[]);
    chromium(async |browser| {
        for (at, (language, way)) in LANGUAGES.into_iter().enumerate() {
            browser.goto(&service.page()).await;
            browser.set_language(language).await;
            browser.prefer(Theme::EACH[at % 2]).await;
            browser.resize(320, 900).await;
            let states = Cell::new(0);
            let check = async |state: &str| {
                assert_eq!(direction(browser).await, json!([language, way]));
                assert_eq!(browser.overflow().await, 0, "{language}: {state}");
                assert_eq!(browser.script(LOW_CONTROLS, json!(null)).await, json!([]), "{language}: {state}");
                browser.check_in_turn(&axe, state, states.replace(states.get() + 1), (at, LANGUAGES.len())).await;
            };
            for (link, element) in [(&plain, "#download"), (&locked, "#passphrase"), (&ended, "#error:not(:empty)")] {
                browser.goto(link).await;
                browser.wait_until_visible(element).await;
                check(element).await;
            }
            browser.goto(&service.page()).await;
            browser.use_token(&service.token).await;
            browser.open_details("#options").await;
            check("options").await;
            browser.click("#request-tab").await;
            check("request").await;
            browser.click("#create-request").await;
            browser.wait_until_visible("#request-made").await;
            check("request made").await;
            let (link, arrived) = (browser.value("#request-link").await, service.home.file("d.txt", b"hello"));
            browser.click("#save-key").await;
            browser.download().await;
            browser.click("#copy-request").await;
            browser.click("#request-done").await;
            service.run(&["upload", &arrived, "--request", &link, "--message", "see below"]).text();
            browser.click("#show-requests").await;
            browser.click("#requests li:first-child button.open").await;
            browser.wait_for_text("#requests", "d.txt").await;
            check("arrived").await;
            browser.click("#show-requests").await;
            browser.write_text("hello").await;
            browser.click("#send").await;
            browser.wait_until_visible("#sent").await;
            browser.click("#show-mine").await;
            browser.wait_until_visible("#mine-list li").await;
            check("sent").await;
            browser.click("#copy-link").await;
        }
    })
    .await;
}

#[tokio::test]
async fn pages_show_the_branding() {
    let home = crate::support::Home::new();
    let logo = home.file("logo.png", &png());
    let service = Service::with(&[
        "--site-name",
        "Files of Ada & Co",
        "--site-url",
        "https://example.org/files",
        "--imprint-url",
        "https://example.org/imprint",
        "--abuse-contact",
        "abuse@example.org",
        "--accent",
        "#0b6b3a",
        "--site-logo",
        &logo,
    ]);
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.wait_for_text("header", "Files of Ada & Co").await;
        let links = "return Array.from(document.querySelectorAll('header a, footer a'), ({ href }) => href)";
        let links = browser.script(links, json!(null)).await;
        for link in ["https://example.org/files", "https://example.org/imprint", "mailto:abuse@example.org"] {
            assert!(links.as_array().unwrap().contains(&json!(link)), "{links}");
        }
        let state = "const image = document.querySelector('header img');
            return [image.naturalWidth, getComputedStyle(document.querySelector('#use-token')).backgroundColor]";
        browser.prefer(Theme::Light).await;
        assert_eq!(browser.script(state, json!(null)).await, json!([1, "rgb(11, 107, 58)"]));
        let Some(axe) = axe() else { return };
        for theme in Theme::EACH {
            browser.prefer(theme).await;
            let violations = browser.violations(&axe).await;
            assert!(violations.is_empty(), "{theme:?}: {violations:#?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_page_for_recipients_is_small() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "1", "--message", "see below"]);
    chromium(async |browser| {
        browser.goto(&link).await;
        browser.wait_until_visible("#download").await;
        browser.wait_until_hidden("#progress").await;
        let bytes = browser.received_bytes(&service.serving.public).await;
        println!("the page for recipients: {bytes} bytes");
        assert!(bytes > 20_000, "{bytes} bytes cannot be all");
        assert!(bytes <= MAX_PAGE_BYTES, "{bytes} bytes");
    })
    .await;
}
