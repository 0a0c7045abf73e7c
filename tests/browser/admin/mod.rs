//! The admin page.

mod languages;
mod overview;
mod sessions;
mod tokens;
mod transfers;

use sgsend::domain::link::Link;

use crate::support::{Browser, Service, Serving};

/// Logs in and opens a view of the page.
pub(super) async fn open<S: Serving>(browser: &Browser, service: &Service<S>, view: &str) {
    browser.goto(&format!("{}/#{view}", service.serving.admin())).await;
    browser.fill("#key", &service.admin_key()).await;
    browser.enter("#key").await;
    browser.wait_until_visible(&format!("#{view}")).await;
}

pub(super) fn id(link: &str) -> String {
    link.parse::<Link>().unwrap().transfer_id.to_string()
}
