//! The admin page.

use sgsend::domain::link::Link;

use crate::support::{Browser, Service, Theme, axe, chromium};

/// Logs in and opens a view of the page.
async fn open(browser: &Browser, service: &Service, view: &str) {
    browser.goto(&format!("{}/#{view}", service.serving.admin)).await;
    browser.fill("#key", &service.admin_key()).await;
    browser.enter("#key").await;
    browser.visible(&format!("#{view}")).await;
}

/// Deletes the session cookie without the page's knowledge, like an expired session.
async fn forget_session(browser: &Browser) {
    browser.tell("Network.clearBrowserCookies", serde_json::json!({})).await;
}

async fn cookies(browser: &Browser) -> Vec<serde_json::Value> {
    let all = browser.tell("Network.getCookies", serde_json::json!({})).await;
    all["cookies"].as_array().unwrap().clone()
}

fn id(link: &str) -> String {
    link.parse::<Link>().unwrap().transfer_id.to_string()
}

#[tokio::test]
async fn a_session_takes_the_right_key() {
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&service.admin_page()).await;
        for key in ["no key at all", &service.token] {
            browser.fill("#key", key).await;
            browser.click("#session button").await;
            browser.says("#error", "not the admin key").await;
            assert!(!browser.shows("#admin").await && !browser.shows("#views").await, "{key}");
            assert_eq!(browser.value_now("#key").await, "", "the field still contains the key");
            assert!(cookies(browser).await.is_empty());
        }
        browser.fill("#key", &service.admin_key()).await;
        browser.click("#session button").await;
        browser.visible("#overview").await;
        assert!(!browser.shows("#login").await);
        let kept = cookies(browser).await;
        assert_eq!((kept.len(), &kept[0]["httpOnly"], &kept[0]["sameSite"]), (1, &true.into(), &"Strict".into()));
        assert!(!kept[0].to_string().contains(&service.admin_key()), "the cookie contains the key");
        assert!(!browser.kept().await.to_string().contains(&service.admin_key()), "the browser stores the key");
        // The session survives a reload.
        browser.reload().await;
        browser.visible("#overview").await;
        assert!(!browser.shows("#login").await);
    })
    .await;
}

#[tokio::test]
async fn the_login_form_leads_to_the_page() {
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&format!("{}/auth/set-cookie-form", service.serving.admin)).await;
        browser.fill("#key", &service.admin_key()).await;
        browser.enter("#key").await;
        browser.visible("#overview").await;
        assert_eq!(browser.address().await, service.admin_page());
    })
    .await;
}

#[tokio::test]
async fn logout_leaves_no_state() {
    let service = Service::start();
    chromium(async |browser| {
        open(browser, &service, "tokens").await;
        assert_eq!(cookies(browser).await.len(), 1);
        browser.click("#end-session").await;
        browser.visible("#session").await;
        assert!(!browser.shows("#admin").await && !browser.shows("#views").await);
        assert!(cookies(browser).await.is_empty());
        browser.reload().await;
        browser.visible("#session").await;
    })
    .await;
}

#[tokio::test]
async fn a_token_is_created_with_limits_and_works() {
    let service = Service::start();
    chromium(async |browser| {
        open(browser, &service, "tokens").await;
        for (field, wrong) in [("#token-expiry", "soon"), ("#token-transfers", "1.5"), ("#token-bytes", "-1 GiB")] {
            browser.fill("#token-name", "from the page").await;
            browser.fill(field, wrong).await;
            browser.click("#token-form button").await;
            browser.text("#error").await;
            browser
                .until("the field to be marked", async || {
                    browser.shows(&format!("{field}[aria-invalid=true]")).await.then_some(())
                })
                .await;
            assert!(!browser.shows("#created").await, "{wrong}");
            browser.script("document.querySelector(args).value = ''", field.into()).await;
        }
        browser.fill("#token-expiry", "2 days").await;
        browser.fill("#token-transfers", "1").await;
        browser.fill("#token-bytes", "1 MiB").await;
        browser.click("#token-form button").await;
        let token = browser.value("#created-token").await;
        browser.says("#token-list tr.active:first-child", "from the page").await;
        let listed = service.run(&["--json", "token", "list"]).json();
        let listed = listed["items"].as_array().unwrap().iter().find(|item| item["name"] == "from the page").unwrap();
        assert_eq!((&listed["max_transfers"], &listed["max_total_bytes"]), (&1.into(), &1_048_576.into()), "{listed}");
        let lifetime = listed["expires_at"].as_u64().unwrap() - listed["created_at"].as_u64().unwrap();
        assert_eq!(lifetime, 2 * 86_400_000);
        let file = service.home.file("a.txt", b"hello");
        let upload = || {
            let mut command = service.home.sgsend(&["--server", &service.serving.public, "upload", &file]);
            crate::support::Said::of(command.env("SGSEND_TOKEN", &token).output().unwrap())
        };
        assert_eq!(service.download(&upload().text(), &[]), b"hello");
        assert_ne!(upload().exit, 0, "the token exceeded its limit");
        // The token is shown once.
        browser.click("#forget-token").await;
        browser.hidden("#created").await;
        assert!(
            !browser.script("return document.documentElement.outerHTML", ().into()).await.to_string().contains(&token)
        );
        browser.reload().await;
        browser.says("#token-list", "from the page").await;
        assert_eq!(browser.value_now("#created-token").await, "");
    })
    .await;
}

#[tokio::test]
async fn an_expired_session_keeps_the_form_and_creates_nothing() {
    let service = Service::start();
    chromium(async |browser| {
        open(browser, &service, "tokens").await;
        browser.fill("#token-name", "twice pressed").await;
        browser.fill("#token-transfers", "7").await;
        forget_session(browser).await;
        browser.click("#token-form button").await;
        browser.says("#login-reason", "The session has ended").await;
        browser.fill("#key", &service.admin_key()).await;
        browser.enter("#key").await;
        browser.says("#error", "do it again").await;
        let listed = || service.run(&["--json", "token", "list"]).text().matches("twice pressed").count();
        assert_eq!(listed(), 0, "the token was created without a second click");
        assert_eq!(browser.value("#token-name").await, "twice pressed");
        assert_eq!(browser.value("#token-transfers").await, "7");
        browser.click("#token-form button").await;
        browser.value("#created-token").await;
        assert_eq!(listed(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_token_is_revoked_after_confirmation() {
    let service = Service::start();
    let made = service.run(&["--json", "token", "create", "to be revoked"]).json();
    let (token, row) = (made["token"].as_str().unwrap(), format!("#token-{}", made["token_id"].as_str().unwrap()));
    let file = service.home.file("a.txt", b"hello");
    let upload = || {
        let mut command = service.home.sgsend(&["--server", &service.serving.public, "upload", &file]);
        crate::support::Said::of(command.env("SGSEND_TOKEN", token).output().unwrap())
    };
    chromium(async |browser| {
        open(browser, &service, "tokens").await;
        browser.click(&format!("{row} button")).await;
        browser.says("#confirm", "to be revoked").await;
        browser.click("#confirm-no").await;
        browser.hidden("#confirm").await;
        upload().text();
        browser.click(&format!("{row} button")).await;
        browser.click("#confirm-yes").await;
        browser.says("#outcome", "is revoked").await;
        browser.says(&format!("{row}.revoked"), "revoked").await;
        assert!(!browser.shows(&format!("{row} button")).await);
        upload().failed(5, "revoked");
    })
    .await;
}

#[tokio::test]
async fn a_pasted_link_is_reduced_to_its_id() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "3"]);
    let key = link.split_once("#v1.").unwrap().1;
    chromium(async |browser| {
        open(browser, &service, "transfer").await;
        browser.fill("#transfer-id", "no id").await;
        browser.click("#find button").await;
        browser.says("#error", "no transfer id").await;
        // Inserts the whole text at once, like a paste.
        let paste = "const field = document.querySelector('#transfer-id'); field.focus(); field.select();
            document.execCommand('insertText', false, args)";
        browser.script(paste, format!("  {link}\u{20}").into()).await;
        assert_eq!(browser.value("#transfer-id").await, id(&link));
        browser.click("#find button").await;
        browser.says("#found-title", &id(&link)).await;
        assert_eq!(browser.address().await, format!("{}#transfer/{}", service.admin_page(), id(&link)));
        let sent = browser.sent().await;
        assert!(sent.iter().any(|request| request.url.contains(&id(&link))), "no request was sent");
        let leaks: Vec<_> = sent.iter().filter(|request| request.holds(key.as_bytes())).collect();
        assert!(leaks.is_empty(), "{leaks:?}");
        assert!(!browser.kept().await.to_string().contains(key));
        assert!(
            !browser.script("return document.documentElement.outerHTML", ().into()).await.to_string().contains(key)
        );
    })
    .await;
}

#[tokio::test]
async fn a_transfers_records_are_shown_by_kind() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "3"]);
    service.download(&link, &[]);
    chromium(async |browser| {
        open(browser, &service, "transfer").await;
        browser.fill("#transfer-id", &id(&link)).await;
        browser.enter("#transfer-id").await;
        browser.says("#state", "can be fetched").await;
        browser.says("#records", "/transfers/create").await;
        browser.says("#records", "Everything is there").await;
        browser.says("#records", "A download was counted").await;
        let kinds = ["request", "action", "event"];
        for kind in kinds {
            browser.visible(&format!("#records li[data-kind={kind}]")).await;
        }
        for kind in kinds {
            browser.click(&format!("#kind-{kind}")).await;
            browser.hidden(&format!("#records li[data-kind={kind}]")).await;
            for other in kinds.into_iter().filter(|other| *other != kind) {
                assert!(
                    browser.shows(&format!("#records li[data-kind={other}]")).await,
                    "hiding {kind} also hid {other}"
                );
            }
            browser.click(&format!("#kind-{kind}")).await;
            browser.visible(&format!("#records li[data-kind={kind}]")).await;
        }
        browser.fill("#transfer-id", &"0".repeat(32)).await;
        browser.enter("#transfer-id").await;
        browser.says("#error", "no such transfer").await;
        assert!(!browser.shows("#found").await);
    })
    .await;
}

#[tokio::test]
async fn a_transfer_is_deleted_after_confirmation() {
    let service = Service::start();
    let link = service.upload("a.txt", b"hello", &["-d", "3"]);
    chromium(async |browser| {
        open(browser, &service, "transfer").await;
        browser.goto(&format!("{}#transfer/{}", service.admin_page(), id(&link))).await;
        browser.click("#remove").await;
        browser.click("#confirm-no").await;
        browser.hidden("#confirm").await;
        assert_eq!(service.download(&link, &[]), b"hello");
        browser.click("#remove").await;
        browser.says("#confirm", &id(&link)).await;
        browser.click("#confirm-yes").await;
        browser.says("#outcome", "removed").await;
        browser.says("#state", "deleted").await;
        browser.says("#records", "The payload was removed").await;
        assert!(!browser.shows("#remove").await);
        service.home.run(&["download", &link, "-o", "-"]).failed(4, "deleted");
    })
    .await;
}

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
        browser.says("#facts", "Can be fetched").await;
        let facts = browser.script(facts, ().into()).await;
        for (name, text) in [("Can be fetched", "2"), ("Deleted", "1"), ("Downloads ever", "1"), ("Active tokens", "2")]
        {
            assert_eq!(facts[name], text, "{name} in {facts}");
        }
        let plots = browser.script("return document.querySelectorAll('#plots .plot svg').length", ().into()).await;
        assert_eq!(plots, 4);
        browser.click("#numbers summary").await;
        browser.visible("#days tr").await;
        let today =
            "return Array.from(document.querySelectorAll('#days tr:first-child td'), (cell) => cell.textContent)";
        let today = browser.script(today, ().into()).await;
        assert_eq!(today.as_array().unwrap()[..3], ["3", "3", "1"], "{today}");
        let told = "document.querySelector('.plot svg').focus()";
        browser.script(told, ().into()).await;
        browser.says(".plot .plot-told", "3").await;
        service.upload("a.txt", b"hello", &[]);
        browser.click("#refresh").await;
        browser.says("#outcome", "latest").await;
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
    let check = async |browser: &Browser, state: &str| {
        for theme in Theme::EACH {
            browser.prefer(theme).await;
            for width in [360, 1280] {
                browser.resize(width, 900).await;
                let overflow = browser.overflow().await;
                assert_eq!(overflow, 0, "{state}: {overflow} pixels wider than {width}");
                let violations = browser.violations(&axe).await;
                assert!(violations.is_empty(), "{state}, {theme:?}, {width}: {violations:#?}");
            }
        }
    };
    chromium(async |browser| {
        browser.goto(&service.admin_page()).await;
        browser.fill("#key", "wrong").await;
        browser.enter("#key").await;
        browser.text("#error").await;
        check(browser, "a wrong key").await;
        browser.fill("#key", &service.admin_key()).await;
        browser.enter("#key").await;
        browser.says("#facts", "Can be fetched").await;
        browser.click("#numbers summary").await;
        check(browser, "the overview").await;
        browser.click("#views a[href='#tokens']").await;
        browser.visible("#token-list tr").await;
        browser.fill("#token-name", "a rather long name of a token that does not fit into a narrow window").await;
        browser.fill("#token-bytes", "many").await;
        browser.click("#token-form button").await;
        browser.text("#error").await;
        check(browser, "a wrong field").await;
        browser.fill("#token-bytes", "2 GiB").await;
        browser.click("#token-form button").await;
        browser.visible("#created").await;
        check(browser, "a new token").await;
        browser.click("#token-list tr:first-child button").await;
        browser.visible("#confirm").await;
        check(browser, "the question").await;
        browser.click("#confirm-yes").await;
        browser.says("#outcome", "is revoked").await;
        check(browser, "a revoked token").await;
        browser.click("#views a[href='#transfer']").await;
        browser.visible("#find").await;
        check(browser, "no transfer yet").await;
        browser.fill("#transfer-id", &id(&link)).await;
        browser.enter("#transfer-id").await;
        browser.visible("#records li").await;
        check(browser, "a transfer").await;
    })
    .await;
}
