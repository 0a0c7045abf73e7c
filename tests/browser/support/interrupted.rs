//! Transfers interrupted halfway.

use super::blocking_proxy::{BlockingProxy, Direction};
use super::browser::Browser;
use super::content::content;
use super::service::Service;

impl Service {
    /// Starts to send `large.bin`, 9 MB, in the page; the proxy closes after 4 MB.
    pub(crate) async fn start_partial_upload(&self, browser: &Browser) -> BlockingProxy {
        let proxy = BlockingProxy::to(&self.serving.public);
        browser.goto(&format!("{}/", proxy.url)).await;
        browser.use_token(&self.token).await;
        browser.choose("#files", &[&self.home.file("large.bin", &content(9_000_000))]).await;
        browser.wait_for_text("#chosen", "large.bin").await;
        proxy.close_after(Direction::Upstream, 4_000_000);
        browser.click("#send").await;
        proxy.wait();
        proxy
    }

    /// Starts to download a link; the proxy closes after 3 MiB.
    pub(crate) async fn start_partial_download(&self, browser: &Browser, link: &str) -> BlockingProxy {
        let proxy = BlockingProxy::to(&self.serving.public);
        browser.goto(&link.replace(&self.serving.public, &proxy.url)).await;
        browser.wait_until_visible("#download").await;
        proxy.close_after(Direction::Downstream, 3 * 1024 * 1024);
        browser.click("#download").await;
        proxy.wait();
        proxy
    }
}
