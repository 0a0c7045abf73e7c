//! Links of the command line, opened in Chromium.

mod archives;
mod content;
mod further_links;
mod keys;
mod previews;
mod recipients;
mod resume;
mod signatures;
mod status;

pub(crate) use previews::pdf;

use crate::support::Browser;

/// Opens the link and downloads its content.
async fn download(browser: &Browser, link: &str) -> (String, Vec<u8>) {
    browser.goto(link).await;
    browser.click("#download").await;
    browser.wait_for_text("#outcome", "Download finished").await;
    browser.download().await
}
