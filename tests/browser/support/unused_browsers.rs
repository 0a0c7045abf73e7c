//! Chromiums whose tests have ended, for the next tests.

use std::sync::Mutex;

use serde_json::json;
use tempfile::TempDir;
use thirtyfour::error::WebDriverResult;

use super::browser::{Browser, Kind, Session};
use super::browser_permit::BrowserPermit;
use super::driver::Driver;

/// Unused Chromiums. When the test process ends, their drivers' watchers end them and remove their folders.
static UNUSED: Mutex<Vec<UnusedBrowser>> = Mutex::new(Vec::new());

/// A Chromium without anything of earlier tests.
struct UnusedBrowser {
    session: Session,
    driver: Driver,
    folder: TempDir,
}

impl Browser {
    /// Returns an unused browser, or starts one; `None` if the browser is not installed.
    pub(super) async fn unused(kind: Kind) -> Option<Self> {
        if kind == Kind::Chromium {
            let found = UNUSED.lock().unwrap().pop();
            if let Some(UnusedBrowser { session, driver, folder }) = found {
                return Some(Self::of(kind, (session, driver, folder), BrowserPermit::take()));
            }
        }
        Self::start(kind, &[]).await
    }

    /// Requires that no page logged an error, and leaves the browser to the next test.
    pub(super) async fn share(self) {
        self.check_page_errors().await;
        // A browser that cannot be cleared ends here; the next test starts another.
        if self.clear().await.is_ok() {
            let (session, driver, folder) = self.into_parts();
            UNUSED.lock().unwrap().push(UnusedBrowser { session, driver, folder });
        }
    }

    /// Removes what a test, or the start, has left in Chromium.
    ///
    /// That is: tabs with their settings, data of all origins, permissions, downloads and log entries.
    pub(crate) async fn clear(&self) -> WebDriverResult<()> {
        let old = self.session.windows().await?;
        let new = self.session.new_tab().await?;
        for tab in old {
            self.session.switch_to_window(tab).await?;
            self.session.close_window().await?;
        }
        self.session.switch_to_window(new).await?;
        let commands = [
            ("Storage.clearDataForOrigin", json!({ "origin": "*", "storageTypes": "all" })),
            ("Network.clearBrowserCookies", json!({})),
            ("Network.clearBrowserCache", json!({})),
            ("Browser.resetPermissions", json!({})),
        ];
        for (command, parameters) in commands {
            self.session.cdp().send_raw(command, parameters).await?;
        }
        for entry in std::fs::read_dir(self.downloads()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for log in ["browser", "performance"] {
            self.session.get_log(log).await?;
        }
        Ok(())
    }
}
