//! Tests of the test support: errors in a page are detected.

use serde_json::{Value, json};

use crate::support::{Kind, Service, axe, chromium, each};

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
    let run = chromium(async |browser| {
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
