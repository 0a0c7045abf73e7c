//! Tests of the test support: errors in a page are detected.

use serde_json::{Value, json};

use crate::support::{Browser, Kind, Service, Theme, axe, chromium, chromium_with_files, each};

#[tokio::test]
async fn page_errors_and_policy_violations_are_detected() {
    let service = Service::start();
    each(async |browser| {
        browser.goto(&service.page()).await;
        assert!(browser.unexpected_page_errors().await.is_empty());
        let logged = ("console.error('something is wrong')", "something is wrong");
        let thrown = ("setTimeout(() => { throw new Error('nobody catches it') })", "nobody catches it");
        let forbidden =
            ("document.body.append(Object.assign(new Image(), { src: 'https://127.0.0.1:9/x.png' }))", "127.0.0.1:9");
        // Firefox doesn't report policy violations to its driver.
        let faults = if browser.kind == Kind::Chromium { &[logged, thrown, forbidden][..] } else { &[logged, thrown] };
        for (fault, words) in faults {
            browser.script(fault, Value::Null).await;
            browser
                .until(words, async || {
                    let page_errors = browser.unexpected_page_errors().await;
                    page_errors.iter().any(|error| error.contains(words)).then_some(())
                })
                .await;
            browser.expect_page_error(words);
        }
        assert_eq!(browser.unexpected_page_errors().await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn accessibility_violations_are_detected() {
    let Some(axe) = axe() else { return };
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        let faults = "const pale = document.createElement('p'); pale.textContent = 'pale'; pale.style.color = '#ccc';
            pale.style.background = '#fff'; const wide = document.createElement('input'); wide.style.width = '3000px';
            document.querySelector('main').append(pale, wide)";
        browser.script(faults, Value::Null).await;
        let violations = browser.violations(&axe).await.join("\n");
        assert!(violations.contains("color-contrast") && violations.contains("label"), "{violations}");
        assert!(browser.overflow().await > 0);
    })
    .await;
}

#[tokio::test]
async fn sent_and_stored_data_is_detected() {
    let service = Service::start();
    let run = chromium_with_files(async |browser| {
        browser.goto(&service.page()).await;
        let leak = "localStorage.setItem('k', 'kept-in-local-storage'); sessionStorage.setItem('k', 'kept-in-tab');
            document.cookie = 'k=kept-in-a-cookie; max-age=9999';
            await new Promise((resolve, reject) => {
              const opening = indexedDB.open('kept-in-a-database');
              Object.assign(opening, { onsuccess: resolve, onerror: reject });
            });
            const headers = { 'x-k': 'sent-in-a-header' };
            await fetch('transfers/create', { method: 'POST', body: 'sent-in-a-body', headers })";
        browser.script(leak, Value::Null).await;
        let stored = browser.stored_data().await.to_string();
        for text in ["kept-in-local-storage", "kept-in-tab", "kept-in-a-cookie", "kept-in-a-database"] {
            assert!(stored.contains(text), "{stored} lacks {text}");
        }
        let requests = browser.requests().await;
        for text in ["sent-in-a-body", "sent-in-a-header", "/transfers/create"] {
            assert!(requests.iter().any(|request| request.holds(text.as_bytes())), "{requests:?} lacks {text}");
        }
        assert!(browser.script("return navigator.onLine", json!(null)).await == true);
        browser.offline(true).await;
        assert!(browser.script("return navigator.onLine", json!(null)).await == false);
    });
    let Some(((), left)) = run.await else { return };
    assert!(!left.holding(b"kept-in-local-storage").is_empty(), "the stored value is not on disk");
}

/// Tests share browsers, so each must find one as it is after its start.
#[tokio::test]
async fn nothing_of_a_test_reaches_the_next() {
    let service = Service::start();
    let Some(browser) = Browser::start(Kind::Chromium, &[]).await else { return };
    browser.goto(&service.page()).await;
    let empty = browser.stored_data().await;
    let width = "return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches, globalThis.marked ?? false]";
    let usual = browser.script(width, Value::Null).await;
    let leave = "localStorage.setItem('k', 'v'); sessionStorage.setItem('k', 'v'); window.name = 'v';
        document.cookie = 'k=v; max-age=9999'; history.replaceState({ k: 'v' }, '');
        await new Promise((resolve) => Object.assign(indexedDB.open('k'), { onsuccess: resolve }));
        await (await caches.open('k')).put('/k', new Response('v'));
        await navigator.serviceWorker.register('/save/worker.js', { scope: '/save/' });
        Object.assign(document.createElement('a'), { href: 'data:,v', download: 'left.txt' }).click();
        console.error('left behind'); open('about:blank')";
    // The policy of the page forbids most of it.
    browser.tell("Page.setBypassCSP", json!({ "enabled": true })).await;
    browser.goto(&service.page()).await;
    browser.before_scripts("globalThis.marked = true").await;
    browser.resize(360, 640).await;
    browser.prefer(Theme::Dark).await;
    browser.script(leave, Value::Null).await;
    browser.until("the download", async || (browser.download_count() == 1).then_some(())).await;
    let workers = "return (await navigator.serviceWorker.getRegistrations()).length";
    assert_eq!(browser.script(workers, Value::Null).await, 1);
    browser.offline(true).await;
    assert_ne!(browser.stored_data().await, empty);

    browser.clear().await.unwrap();
    assert_eq!((browser.download_count(), browser.requests().await.len()), (0, 0));
    assert_eq!(browser.unexpected_page_errors().await, [""; 0]);
    browser.goto(&service.page()).await;
    assert_eq!(browser.stored_data().await, empty);
    assert_eq!(browser.script(width, Value::Null).await, usual);
    assert_eq!(browser.script(workers, Value::Null).await, 0);
    assert!(browser.received_bytes(&service.serving.public).await > 1_000, "the cache was not cleared");
    browser.end().await;
}
