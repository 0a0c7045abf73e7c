//! Accessibility of the pages: no axe-core violation in any state, theme and width.

use serde_json::json;

use crate::support::{Axe, Browser, Service, Theme, axe, chromium, content};

/// Themes with widths of the window in pixels.
const VARIANTS: [(Theme, u32); 6] = [
    (Theme::Light, 320),
    (Theme::Dark, 360),
    (Theme::Light, 1280),
    (Theme::Dark, 320),
    (Theme::Light, 360),
    (Theme::Dark, 1280),
];

/// Checks the current state of the page.
async fn check(browser: &Browser, axe: &Axe, state: &str) {
    browser.check_accessible(axe, state, &VARIANTS).await;
}

#[tokio::test]
async fn the_page_for_recipients() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    let passphrase = service.home.file("passphrase", b"tea");
    let text = service.upload("a rather long name of a file that does not fit.txt", b"hello\n", &["-d", "2"]);
    let locked = service.upload("b.txt", b"hello", &["--passphrase-file", &passphrase, "-d", "1"]);
    let deleted = service.upload("c.txt", b"hello", &[]);
    service.run(&["delete", &deleted]).text();
    chromium(async |browser| {
        browser.goto(text.split_once('#').unwrap().0).await;
        browser.wait_until_visible("#key").await;
        check(browser, &axe, "without a key").await;
        browser.goto(&locked).await;
        browser.wait_until_visible("#passphrase").await;
        check(browser, &axe, "with a passphrase").await;
        browser.fill_option("#passphrase", "coffee").await;
        browser.enter("#passphrase").await;
        browser.text("#error").await;
        check(browser, &axe, "with a wrong passphrase").await;
        browser.goto(&deleted).await;
        browser.text("#error").await;
        check(browser, &axe, "of what was deleted").await;
        browser.goto(&text).await;
        browser.wait_until_visible("#download").await;
        check(browser, &axe, "ready").await;
        browser.click("#preview").await;
        browser.wait_until_visible("#shown pre").await;
        check(browser, &axe, "with a preview").await;
        browser.click("#download").await;
        browser.wait_for_text("#outcome", "Download finished").await;
        browser.click("#transparency summary").await;
        check(browser, &axe, "after a download").await;
    })
    .await;
}

#[tokio::test]
async fn the_page_for_recipients_during_a_download() {
    let Some(axe) = axe() else { return };
    let service = Service::on_disk();
    let link = service.upload("large.bin", &content(6 * 1024 * 1024), &["-d", "1"]);
    chromium(async |browser| {
        let proxy = service.start_partial_download(browser, &link).await;
        browser.wait_until_visible("#progress").await;
        check(browser, &axe, "downloading").await;
        proxy.open();
        browser.wait_for_text("#outcome", "Download finished").await;
        browser.download().await;
    })
    .await;
}

#[tokio::test]
async fn the_page_for_senders() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.wait_until_visible("#token-form").await;
        check(browser, &axe, "asking for a token").await;
        browser.fill("#token", "no token").await;
        browser.click("#use-token").await;
        browser.text("#error").await;
        check(browser, &axe, "with a wrong token").await;
        browser.use_token(&service.token).await;
        check(browser, &axe, "empty").await;
        browser.open_details("#options").await;
        check(browser, &axe, "with options").await;
        browser.click("#send").await;
        browser.text("#error").await;
        check(browser, &axe, "with nothing to send").await;
        let names = ["one.txt", "a rather long name of a file that does not fit into a narrow window.txt"];
        let names = names.map(|name| service.home.file(name, b"hello"));
        browser.choose("#files", &[&names[0], &names[1]]).await;
        browser.wait_until_visible("#chosen li").await;
        check(browser, &axe, "with files").await;
        browser.click("#send").await;
        browser.wait_until_visible("#sent").await;
        browser.click("#qr-details summary").await;
        browser.click("#sent #transparency summary").await;
        browser.click("#activity summary").await;
        browser.wait_until_visible("#events li").await;
        check(browser, &axe, "sent").await;
        browser.click("#show-mine").await;
        browser.wait_until_visible("#mine-list li").await;
        check(browser, &axe, "with the transfers of the token").await;
        browser.click("#delete").await;
        browser.wait_until_visible("#confirm").await;
        check(browser, &axe, "asking before a deletion").await;
        browser.click("#confirm-yes").await;
        browser.wait_for_text("#status", "deleted").await;
        check(browser, &axe, "deleted").await;
        browser.click("#another").await;
        browser.write_text("hello").await;
        browser.open_details("#options").await;
        browser.click("label:has(#apart)").await;
        browser.click("#send").await;
        browser.wait_until_visible("#link-key").await;
        check(browser, &axe, "sent, with the key apart").await;
        browser.click("#another").await;
        browser.write_text("hello").await;
        browser.fill_option("#recipients", "Ada, Bob with a rather long name that has room for no more of it").await;
        browser.click("#send").await;
        browser.wait_until_visible("#key-1").await;
        check(browser, &axe, "sent, with a link for each recipient").await;
    })
    .await;
}

#[tokio::test]
async fn pages_in_unsupported_environments() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &[]);
    chromium(async |browser| {
        browser.before_scripts("Object.defineProperty(globalThis, 'isSecureContext', { value: false })").await;
        for url in [&service.page(), &link] {
            browser.goto(url).await;
            browser.wait_for_text("#why-not", "https").await;
            assert!(!browser.is_visible("#token-form, #send-form, #receive").await);
            check(browser, &axe, "on plain http").await;
        }
    })
    .await;
}

#[tokio::test]
async fn pages_without_scripts_say_what_to_do() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &[]);
    chromium(async |browser| {
        browser.tell("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        for (url, command) in [(&service.page(), "sgsend upload"), (&link, "sgsend download")] {
            browser.goto(url).await;
            browser.wait_for_text("#without-script", command).await;
            assert!(!browser.is_visible("#token-form, #send-form, #receive, #progress, #sent").await);
        }
    })
    .await;
}

#[tokio::test]
async fn the_other_pages() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    chromium(async |browser| {
        for url in [
            format!("{}/docs", service.serving.public),
            format!("{}/docs", service.serving.admin),
            format!("{}/auth/set-cookie-form", service.serving.admin),
            format!("{}/", service.serving.admin),
        ] {
            browser.goto(&url).await;
            browser.wait_until_visible("h1").await;
            check(browser, &axe, &url).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_lists_of_the_admin_page() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    let id = service.upload("a.txt", b"hello", &[]).split_once("/d/").unwrap().1[..32].to_owned();
    chromium(async |browser| {
        crate::admin::open(browser, &service, "transfers").await;
        browser.wait_until_visible(&format!("#transfer-{id}")).await;
        check(browser, &axe, "with transfers").await;
        // A row is selected and deleted without a mouse.
        browser.script("document.querySelector(args).focus()", format!("#transfer-{id} input").into()).await;
        browser.script("document.activeElement.click()", ().into()).await;
        browser.wait_for_text("#selected-count", "1 transfer selected").await;
        browser.enter("#delete-selected").await;
        browser.wait_until_visible("#confirm").await;
        check(browser, &axe, "asking before a deletion").await;
        browser.click("#confirm-no").await;
        browser.goto(&format!("{}/#tokens", service.serving.admin)).await;
        browser.click("#token-list button:not(.danger)").await;
        browser.wait_until_visible("#edit-token").await;
        assert_eq!(browser.focused().await, "edit-name");
        check(browser, &axe, "editing a token").await;
    })
    .await;
}

#[tokio::test]
async fn all_controls_are_reachable_by_keyboard() {
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.wait_until_visible("#token-form").await;
        assert_eq!(browser.focused().await, "token");
        browser.fill("#token", &service.token).await;
        browser.enter("#token").await;
        browser.wait_until_visible("#send-form").await;
        assert_eq!(browser.focused().await, "files");
        browser.open_details("#options").await;
        // All controls are reached in this order; buttons and summaries without an id are left out.
        let mut reached = Vec::new();
        for _ in 0..20 {
            browser.tab().await;
            reached.push(browser.focused().await);
            if reached.last().is_some_and(|id| id == "forget") {
                break;
            }
        }
        reached.retain(|id| !id.is_empty());
        let fields = [
            "folder",
            "expires",
            "downloads",
            "passphrase",
            "generate",
            "message",
            "recipients",
            "apart",
            "send",
            "show-mine",
            "show-requests",
            "forget",
        ];
        assert_eq!(reached, fields);
        browser.script("document.querySelector('#files-tab').focus()", json!(null)).await;
        browser.press("\u{e014}").await;
        assert_eq!(browser.focused().await, "text-tab");
        browser.fill("#text", "hello").await;
        browser.enter("#send").await;
        browser.wait_until_visible("#sent").await;
        browser.until("the focus to move", async || (browser.focused().await == "sent-title").then_some(())).await;
    })
    .await;
}
