//! Runs a test in one or both browsers.
//!
//! Tests use a Chromium one after another, since its start takes longer than most tests.

use super::browser::{Browser, Kind, Trust};
use super::leftover_files::LeftoverFiles;
use super::startup_cache;

/// Runs a test in Chromium; returns `None` if Chromium is not installed.
pub(crate) async fn chromium<T>(test: impl AsyncFnOnce(&Browser) -> T) -> Option<T> {
    run(Browser::unused(Kind::Chromium).await?, test).await
}

/// Runs a test in Firefox; returns `None` if Firefox is not installed.
pub(crate) async fn firefox<T>(test: impl AsyncFnOnce(&Browser) -> T) -> Option<T> {
    run(Browser::unused(Kind::Firefox).await?, test).await
}

/// Runs a test in a Chromium of its own; also returns the files that are left after an orderly end.
pub(crate) async fn chromium_with_files<T>(test: impl AsyncFnOnce(&Browser) -> T) -> Option<(T, LeftoverFiles)> {
    let browser = Browser::start(Kind::Chromium, &[]).await?;
    let result = Box::pin(test(&browser)).await;
    Some((result, browser.end().await))
}

/// Runs a test in both browsers.
pub(crate) async fn each(test: impl AsyncFn(&Browser)) {
    chromium(&test).await;
    firefox(&test).await;
}

/// Runs a test in both browsers, which accept certificates of unknown authorities.
pub(crate) async fn each_with_any_certificate(test: impl AsyncFn(&Browser)) {
    for kind in [Kind::Chromium, Kind::Firefox] {
        if let Some(browser) = Browser::launch(kind, &[], Trust::Anybody).await {
            Box::pin(test(&browser)).await;
            browser.kill().await;
        }
    }
}

async fn run<T>(browser: Browser, test: impl AsyncFnOnce(&Browser) -> T) -> Option<T> {
    let result = Box::pin(test(&browser)).await;
    match browser.kind {
        Kind::Chromium => browser.share().await,
        Kind::Firefox if startup_cache::is_kept() => browser.kill().await,
        Kind::Firefox => drop(browser.end().await),
    }
    Some(result)
}
