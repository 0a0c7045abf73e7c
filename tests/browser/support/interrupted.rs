//! Transfers interrupted halfway.

use super::browser::Browser;
use super::content::content;
use super::gate::{Gate, Way};
use super::service::Service;

impl Service {
    /// Starts to send `large.bin`, 9 MB, in the page; the gate closes after 4 MB.
    pub(crate) async fn half_sent(&self, browser: &Browser) -> Gate {
        let gate = Gate::to(&self.serving.public);
        browser.goto(&format!("{}/", gate.url)).await;
        browser.fill("#token", &self.token).await;
        browser.choose("#files", &[&self.home.file("large.bin", &content(9_000_000))]).await;
        browser.says("#chosen", "large.bin").await;
        gate.close_after(Way::There, 4_000_000);
        browser.click("#send").await;
        gate.wait();
        gate
    }

    /// Starts to download a link; the gate closes after 3 MiB.
    pub(crate) async fn half_fetched(&self, browser: &Browser, link: &str) -> Gate {
        let gate = Gate::to(&self.serving.public);
        browser.goto(&link.replace(&self.serving.public, &gate.url)).await;
        browser.visible("#download").await;
        gate.close_after(Way::Back, 3 * 1024 * 1024);
        browser.click("#download").await;
        gate.wait();
        gate
    }
}
