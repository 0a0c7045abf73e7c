//! Errors reported by browsers: logged and uncaught errors, and violations of the security policy.

use super::browser::{Browser, Kind};

impl Browser {
    /// Ignores errors that contain these words from now on.
    pub(crate) fn expect_page_error(&self, words: &str) {
        self.expected.lock().unwrap().push(words.to_owned());
    }

    /// Returns all errors so far that were not expected.
    pub(crate) async fn unexpected_page_errors(&self) -> Vec<String> {
        let new = match self.kind {
            Kind::Chromium => self.logged().await,
            Kind::Firefox => self.logged_errors().into_iter().skip(self.page_errors.lock().unwrap().len()).collect(),
        };
        let mut all = self.page_errors.lock().unwrap();
        all.extend(new);
        let expected = self.expected.lock().unwrap();
        let is_expected = |error: &&String| expected.iter().any(|words| error.contains(words));
        all.iter().filter(|error| !is_expected(error)).cloned().collect()
    }

    async fn logged(&self) -> Vec<String> {
        let entries = self.session.get_log("browser").await.unwrap();
        let severe = entries.into_iter().filter(|entry| entry.level == "SEVERE");
        // Failed API requests are the page's concern; a failed request for a part of the page is an error.
        let own_part = |message: &str| ["/web/", "/save/"].iter().any(|folder| message.contains(folder));
        let counts = severe.filter(|entry| entry.source.as_deref() != Some("network") || own_part(&entry.message));
        counts.map(|entry| format!("{}: {}", entry.source.unwrap_or_default(), entry.message)).collect()
    }

    /// Returns page errors from Firefox's output. Firefox has no log for drivers, and doesn't print policy violations.
    fn logged_errors(&self) -> Vec<String> {
        let log = self.driver.log();
        let counts = |line: &&str| line.contains("JavaScript error: http") || line.starts_with("console.error: \"");
        log.lines().filter(counts).map(str::to_owned).collect()
    }
}
