//! Payload store that refuses a browser: the page uploads and downloads through the service instead.

use serde_json::json;

use crate::support::{Service, chromium, content};

/// Content size in bytes, more than one piece of an upload through the service.
const SIZE: usize = 9_000_000;

/// Makes the page believe that the service uses presigned URLs. The store is a path of the service, and all its
/// responses have the status `refusal`; status 0 is a failed connection. `refused` counts them.
const STORE: &str = "
    Object.assign(globalThis, { refusal: 403, refused: 0 });
    const isStore = (url) => new URL(url, location.href).pathname === '/store';
    const { prototype } = XMLHttpRequest;
    const status = Object.getOwnPropertyDescriptor(prototype, 'status').get;
    Object.defineProperty(prototype, 'status', {
      get() { return this.isStore ? refusal : status.call(this); },
    });
    const open = prototype.open;
    prototype.open = function (method, url) {
      this.isStore = isStore(url);
      if (this.isStore) refused += 1;
      return open.call(this, method, url);
    };
    const ask = globalThis.fetch;
    globalThis.fetch = async (target, ...rest) => {
      if (isStore(target)) {
        refused += 1;
        if (refusal === 0) throw new TypeError('no connection');
        return new Response('', { status: refusal });
      }
      const atStore = { url: `${location.origin}/store`, method: 'PUT', headers: {} };
      if (`${target}`.endsWith('/upload/create-presign-urls')) return Response.json({ ...atStore, kind: 'single' });
      const response = await ask(target, ...rest);
      const isStart = `${target}`.endsWith('/transfers/create');
      if (!response.ok || (!isStart && !`${target}`.endsWith('/download/create-presign-url'))) return response;
      const body = await response.json();
      const from = isStart ? body.upload : body;
      const presigned = { ...atStore, fallback_url: from.url };
      if (isStart) Object.assign(body.upload, presigned, { kind: 'single' });
      else Object.assign(body, presigned, { mode: 'presigned' });
      return Response.json(body);
    };";

#[tokio::test]
async fn a_page_uses_the_service_after_refusals_of_the_store() {
    let service = Service::start();
    let original = content(SIZE);
    chromium(async |browser| {
        browser.before_scripts(STORE).await;
        browser.expect_page_error("/store");
        // Permanent refusals are final, and transient ones are tried three times.
        for (refusal, least) in [(403, 1), (404, 1), (502, 3), (0, 1)] {
            let refuse = async || {
                browser
                    .script("Object.assign(globalThis, { refused: 0, ...args })", json!({ "refusal": refusal }))
                    .await
            };
            let refused = async || browser.script("return refused", json!(null)).await.as_u64().unwrap();
            browser.goto(&service.page()).await;
            refuse().await;
            browser.use_token(&service.token).await;
            browser.choose("#files", &[&service.home.file("large.bin", &original)]).await;
            browser.click("#send").await;
            browser.wait_until_visible("#sent").await;
            assert!(refused().await >= least, "upload with {refusal}");
            let link = browser.value("#link").await;
            assert!(service.download(&link, &[]) == original, "upload with {refusal}");
            browser.goto(&link).await;
            refuse().await;
            browser.click("#download").await;
            browser.wait_for_text("#outcome", "Download finished").await;
            assert!(refused().await >= least, "download with {refusal}");
            assert!(browser.download().await.1 == original, "download with {refusal}");
        }
    })
    .await;
}
