//! Transfers that come to a halt on their way.

use super::browser::Browser;
use super::content::content;
use super::gate::{Gate, Way};
use super::service::Service;

impl Service {
    /// Begins to send `large.bin`, nine megabytes, in the page; the gate closes after four of them.
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

    /// Begins to fetch what is behind a link; the gate closes after three mebibytes.
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
