//! Folders dropped onto the page.

use serde_json::json;

use crate::support::{Service, chromium};

/// Drops a folder `photos` of 250 files, listed by browsers in batches of 100; reading blocks until
/// `globalThis.release` is called.
const DROP: &str = "
    const { promise, resolve } = Promise.withResolvers();
    globalThis.release = resolve;
    const names = Array.from({ length: 250 }, (_, number) => `${number}.txt`);
    const fileEntry = (name) => ({
      isFile: true, fullPath: `/photos/${name}`, file: (give) => give(new File([name], name)),
    });
    const entry = {
      isFile: false,
      fullPath: '/photos',
      createReader() {
        const left = names.map(fileEntry);
        return { readEntries: (give) => promise.then(() => give(left.splice(0, 100))) };
      },
    };
    const drop = new Event('drop', { bubbles: true, cancelable: true });
    Object.defineProperty(drop, 'dataTransfer', { value: { items: [{ webkitGetAsEntry: () => entry }] } });
    document.querySelector('#drop').dispatchEvent(drop)";

#[tokio::test]
async fn a_dropped_folder_is_sent_completely() {
    let service = Service::start();
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        browser.use_token(&service.token).await;
        browser.script(DROP, json!(null)).await;
        browser.click("#send").await;
        assert!(!browser.is_visible("#sent").await);
        browser.script("release()", json!(null)).await;
        browser.wait_until_visible("#sent").await;
        let link = browser.value("#link").await;
        service.home.run(&["download", &link, "-o", "got"]).text();
        let received = crate::send::files(&service.home.path().join("got"));
        assert_eq!(received.len(), 250);
        assert!(received.iter().all(|(name, content)| name.as_bytes() == content), "{:?}", received.keys());
    })
    .await;
}
