//! Files sent from Chromium, downloaded with the command line.

mod after;
mod content;
mod interruptions;
mod mine;
mod options;
mod recipients;
mod requests;

use std::path::Path;

use crate::support::{Browser, Service};

/// Opens the page and fills in a token.
async fn open_send_page(browser: &Browser, service: &Service) {
    browser.goto(&service.page()).await;
    browser.use_token(&service.token).await;
}

/// Sends the chosen content; returns the link.
async fn send(browser: &Browser) -> String {
    browser.click("#send").await;
    browser.wait_until_visible("#sent").await;
    browser.value("#link").await
}

/// Returns all files below a folder, by relative path.
pub(crate) fn files(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap).filter(|entry| entry.path().is_file());
    let named = |entry: &walkdir::DirEntry| entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| (named(&entry), std::fs::read(entry.path()).unwrap())).collect()
}
