//! Statistics, and accessibility of all views.

use super::{id, open};
use crate::support::{Browser, Service, Theme, axe, chromium};

#[tokio::test]
async fn the_overview_shows_transfer_statistics() {
    let service = Service::start();
    let links: Vec<_> = (0..3).map(|_| service.upload("a.txt", b"hello", &["-d", "3"])).collect();
    service.download(&links[0], &[]);
    service.run(&["delete", &links[1]]).text();
    chromium(async |browser| {
        open(browser, &service, "overview").await;
        let facts = "return Object.fromEntries(Array.from(document.querySelectorAll('#facts > div'), (fact) =>
            [fact.querySelector('dt').textContent, fact.querySelector('dd').textContent]))";
        browser.wait_for_text("#facts", "Ready").await;
        let facts = browser.script(facts, ().into()).await;
        for (name, text) in [("Ready", "2"), ("Deleted", "1"), ("Downloads ever", "1"), ("Active tokens", "2")] {
            assert_eq!(facts[name], text, "{name} in {facts}");
        }
        let plots = browser.script("return document.querySelectorAll('#plots .plot svg').length", ().into()).await;
        assert_eq!(plots, 4);
        browser.click("#numbers summary").await;
        browser.wait_until_visible("#days tr").await;
        let today =
            "return Array.from(document.querySelectorAll('#days tr:first-child td'), (cell) => cell.textContent)";
        let today = browser.script(today, ().into()).await;
        assert_eq!(today.as_array().unwrap()[..3], ["3", "3", "1"], "{today}");
        let focus = "document.querySelector('.plot svg').focus()";
        browser.script(focus, ().into()).await;
        browser.wait_for_text(".plot .plot-value", "3").await;
        service.upload("a.txt", b"hello", &[]);
        browser.click("#refresh").await;
        browser.wait_for_text("#outcome", "latest").await;
        let today = "return document.querySelector('#days td').textContent";
        assert_eq!(browser.script(today, ().into()).await, "4");
    })
    .await;
}

#[tokio::test]
async fn the_admin_page_is_accessible() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "3"]);
    let variants = [(Theme::Light, 360), (Theme::Dark, 1280), (Theme::Light, 1280), (Theme::Dark, 360)];
    let check = async |browser: &Browser, state: &str| browser.check_accessible(&axe, state, &variants).await;
    chromium(async |browser| {
        browser.goto(&service.admin_page()).await;
        browser.fill("#key", "wrong").await;
        browser.enter("#key").await;
        browser.text("#error").await;
        check(browser, "a wrong key").await;
        browser.fill("#key", &service.admin_key()).await;
        browser.enter("#key").await;
        browser.wait_for_text("#facts", "Ready").await;
        browser.click("#numbers summary").await;
        check(browser, "the overview").await;
        browser.click("#views a[href='#tokens']").await;
        browser.wait_until_visible("#token-list tr").await;
        browser.fill("#token-name", "a rather long name of a token that does not fit into a narrow window").await;
        browser.fill("#token-bytes", "many").await;
        browser.click("#token-form button").await;
        browser.text("#error").await;
        check(browser, "a wrong field").await;
        browser.fill("#token-bytes", "2 GiB").await;
        browser.click("#token-form button").await;
        browser.wait_until_visible("#created").await;
        check(browser, "a new token").await;
        browser.click("#token-list tr:first-child button.danger").await;
        browser.wait_until_visible("#confirm").await;
        check(browser, "the question").await;
        browser.click("#confirm-yes").await;
        browser.wait_for_text("#outcome", "is revoked").await;
        check(browser, "a revoked token").await;
        browser.click("#views a[href='#transfer']").await;
        browser.wait_until_visible("#find").await;
        check(browser, "no transfer yet").await;
        browser.fill("#transfer-id", &id(&link)).await;
        browser.enter("#transfer-id").await;
        browser.wait_until_visible("#events li").await;
        browser.click("#all-records summary").await;
        browser.wait_until_visible("#records li").await;
        check(browser, "a transfer").await;
        for view in ["webhooks", "settings"] {
            browser.click(&format!("#views a[href='#{view}']")).await;
            browser.wait_until_visible(&format!("#{view}-title")).await;
            check(browser, view).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_overview_shows_disk_and_clean_up_and_the_settings_what_was_started() {
    let service = Service::on_disk();
    chromium(async |browser| {
        open(browser, &service, "overview").await;
        browser.wait_for_text("#disk-text", "free").await;
        browser.wait_until_visible("#disk-meter").await;
        browser.wait_for_text("#facts", "Last clean-up").await;
        browser.click("#views a[href='#settings']").await;
        let settings = browser.wait_for_text("#settings-list", env!("CARGO_PKG_VERSION")).await;
        for text in ["through this service", "Maximum content size", "Default lifetime", "7 days"] {
            assert!(settings.contains(text), "{text:?} in {settings}");
        }
    })
    .await;
}

#[tokio::test]
async fn failing_webhooks_are_shown() {
    let home = crate::support::Home::new();
    let key = home.file("webhook-key", b"a key for the secrets of webhooks in tests");
    let service = Service::with(&["--webhook-key-file", &key, "--webhook-allow-private"]);
    // Nothing listens on the port of the protocol that discards all.
    let token = service.run(&["--json", "token", "create", "hooked", "--webhook", "http://127.0.0.1:9/secret"]).json();
    let (id, token) = (token["token_id"].as_str().unwrap(), token["token"].as_str().unwrap().to_owned());
    chromium(async |browser| {
        open(browser, &service, "webhooks").await;
        let row = browser.wait_for_text("#webhook-list", "http://127.0.0.1:9").await;
        assert!(row.contains("no failure") && row.contains(id) && !row.contains("secret"), "{row}");
        service.upload("a.txt", b"hello", &["--token", &token, "--notify", "every"]);
        browser
            .until("the failure to be known", async || {
                let stats = service.run(&["--json", "stats"]).json();
                (stats["failing_targets"][0]["token_id"] == id).then_some(())
            })
            .await;
        browser.click("#views a[href='#overview']").await;
        browser.click("#failing-targets a").await;
        let row = browser.wait_for_text("#webhook-list", "retrying").await;
        assert!(row.contains("The connection fails."), "{row}");
    })
    .await;
}

#[tokio::test]
async fn the_admin_page_fits_and_is_accessible_in_each_language() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "3"]);
    chromium(async |browser| {
        open(browser, &service, "overview").await;
        browser.resize(360, 900).await;
        let languages = [("de", "ltr"), ("fr", "ltr"), ("es", "ltr"), ("ja", "ltr"), ("ar", "rtl")];
        for (at, (language, way)) in languages.into_iter().enumerate() {
            browser.set_language(language).await;
            browser.reload().await;
            let views = [
                ("overview", "#facts div"),
                ("transfers", "#transfer-list tr"),
                ("tokens", "#token-list tr"),
                (&*format!("transfer/{}", id(&link)), "#events li"),
                ("webhooks", "#no-webhooks"),
                ("settings", "#settings-list div"),
            ];
            for (state, (view, element)) in views.into_iter().enumerate() {
                browser.goto(&format!("{}#{view}", service.admin_page())).await;
                browser.wait_until_visible(element).await;
                let direction = browser.script("return document.documentElement.dir", ().into()).await;
                assert_eq!(direction, way, "{language}");
                assert_eq!(browser.overflow().await, 0, "{language}: {view}");
                browser.check_in_turn(&axe, view, state, (at, languages.len())).await;
                assert!(!browser.is_visible("#error:not(:empty)").await, "{language}: {view}");
            }
        }
    })
    .await;
}
