//! Uploads stopped by the user at any time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Browser, Service, chromium};

/// Delays the response to a call of `ROUTE` until `globalThis.release` is called. `globalThis.held` says whether a
/// response is delayed.
const HOLD: &str = "
    const { promise, resolve } = Promise.withResolvers();
    Object.assign(globalThis, { release: resolve, created: undefined, held: false });
    const ask = globalThis.fetch;
    globalThis.fetch = async (target, ...rest) => {
      const response = await ask(target, ...rest);
      if (`${target}`.endsWith('/transfers/create')) {
        globalThis.created = (await response.clone().json()).transfer_id;
      }
      if (`${target}`.endsWith('ROUTE')) {
        globalThis.held = true;
        await promise;
      }
      return response;
    };";

async fn stopped_during(route: &str) {
    let service = Service::on_disk();
    chromium(async |browser| {
        browser.before_scripts(&HOLD.replace("ROUTE", route)).await;
        browser.goto(&service.page()).await;
        browser.use_token(&service.token).await;
        browser.write_text("hello").await;
        browser.click("#send").await;
        browser.until(route, async || (browser.script("return held", json!(null)).await == true).then_some(())).await;
        let id = browser.script("return created", json!(null)).await;
        let link = format!("{}/d/{}", service.serving.public, id.as_str().unwrap());
        // A fast user may press the button before it is visible.
        browser.script("document.querySelector('#cancel').click(); release()", Value::Null).await;
        browser.wait_for_text("#outcome", "The uploaded data was deleted").await;
        assert!(browser.is_visible("#send-form").await && !browser.is_visible("#sent").await);
        assert_eq!(service.status(&link).await["status"], "deleted");
        assert_eq!(browser.value("#text").await, "hello");
        let stats = service.run(&["stats", "--json"]).json();
        assert_eq!(stats["bytes_stored"], 0, "{stats}");
    })
    .await;
}

#[tokio::test]
async fn an_upload_stopped_during_create_is_deleted() {
    stopped_during("/transfers/create").await;
}

#[tokio::test]
async fn an_upload_stopped_during_complete_is_deleted() {
    stopped_during("/upload/complete").await;
}

/// Presses Stop; the page must react at once, and return to its initial state soon.
async fn stop(browser: &Browser) {
    let says = "document.querySelector('#cancel').click();
        for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 50));
        return document.querySelector('#outcome').textContent";
    let started = Instant::now();
    let finished = browser.script(says, Value::Null).await;
    assert!(!finished.as_str().unwrap().is_empty(), "no text appeared within one second");
    browser.wait_until_visible("#send-form").await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    browser.wait_for_text("#outcome", "expires in a day").await;
    assert!(browser.is_visible("#chosen li").await, "the chosen files were removed");
}

#[tokio::test]
async fn stopping_without_a_network_is_fast() {
    let service = Service::on_disk();
    chromium(async |browser| {
        let proxy = service.start_partial_upload(browser).await;
        browser.offline(true).await;
        stop(browser).await;
        browser.offline(false).await;
        proxy.open();
    })
    .await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_an_unresponsive_service() {
    let service = Service::on_disk();
    chromium(async |browser| {
        let proxy = service.start_partial_upload(browser).await;
        stop(browser).await;
        proxy.open();
    })
    .await;
}
