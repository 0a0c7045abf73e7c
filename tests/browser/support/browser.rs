//! Starts, drives and ends browsers.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{Capabilities, WebDriver};

use super::browser_permit::BrowserPermit;
use super::driver::{Driver, program};
use super::leftover_files::LeftoverFiles;
use super::{not_run, startup_cache};

/// Timeout for any change on a page.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// Kind of browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Chromium,
    Firefox,
}

/// Certificates that a browser accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Those of the authorities that the browser knows.
    Authorities,
    /// Any.
    Anybody,
}

/// A browser with an empty profile and one tab.
pub(crate) struct Browser {
    pub(crate) kind: Kind,
    pub(super) session: Session,
    pub(super) driver: Driver,
    pub(super) folder: TempDir,
    /// Log entries read so far; the driver's logs return each entry once.
    pub(super) events: Mutex<Vec<Value>>,
    pub(super) page_errors: Mutex<Vec<String>>,
    pub(super) expected: Mutex<Vec<String>>,
    _permit: BrowserPermit,
}

/// A `WebDriver` session. A failed test ends the browser through its driver, without closing the session.
pub(super) struct Session(WebDriver);

impl std::ops::Deref for Session {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        &self.0
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The session may have been closed already; leaking prevents an error.
        let _ = self.0.clone().leak();
    }
}

/// Names of Firefox as a program.
pub(super) const FIREFOX: [&str; 2] = ["firefox-esr", "firefox"];

impl Kind {
    /// Returns the paths of the browser and its driver.
    fn programs(self) -> Option<(PathBuf, PathBuf)> {
        let (browser, driver, packages) = match self {
            Self::Chromium => (["chromium", "chromium-browser"], "chromedriver", "chromium chromium-driver"),
            Self::Firefox => (FIREFOX, "geckodriver", "firefox-esr, and tests/browsers.sh install"),
        };
        let found = program(&browser).zip(program(&[driver]));
        if found.is_none() {
            not_run(&format!("{self:?} or {driver} is not installed; on Debian: apt-get install {packages}"));
        }
        found
    }
}

impl Browser {
    /// Starts a browser with additional preferences.
    pub(crate) async fn start(kind: Kind, preferences: &[(&str, Value)]) -> Option<Self> {
        Self::launch(kind, preferences, Trust::Authorities).await
    }

    pub(super) async fn launch(kind: Kind, preferences: &[(&str, Value)], trust: Trust) -> Option<Self> {
        let (program, driver) = kind.programs()?;
        let permit = BrowserPermit::take();
        let folder = tempfile::tempdir().unwrap();
        for name in ["downloads", "profile"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        if kind == Kind::Firefox {
            startup_cache::copy_to(&folder.path().join("profile"));
        }
        let (arguments, announcement) = match kind {
            Kind::Chromium => (["--port=0"].as_slice(), "started successfully on port "),
            Kind::Firefox => (["--port", "0"].as_slice(), "Listening on 127.0.0.1:"),
        };
        let driver = Driver::start(&driver, arguments, announcement, folder.path());
        let capabilities = capabilities(kind, &program, &folder, (preferences, trust));
        // Connections do not outlive the runtime of a test, but sessions do.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let session = WebDriver::builder(&driver.url, capabilities).client(client).await;
        let session = session.unwrap_or_else(|error| panic!("{kind:?} does not start: {error}\n{}", driver.log()));
        let browser = Self::of(kind, (Session(session), driver, folder), permit);
        if kind == Kind::Chromium {
            // Its first tab loads the page of a new tab, whose errors would count as those of the test.
            browser.clear().await.unwrap();
        }
        Some(browser)
    }

    /// Wraps a browser that no test has used since its start, or since [`Browser::clear`].
    pub(super) fn of(kind: Kind, (session, driver, folder): (Session, Driver, TempDir), permit: BrowserPermit) -> Self {
        let (events, page_errors, expected) = Default::default();
        Self { kind, session, driver, folder, events, page_errors, expected, _permit: permit }
    }

    /// Returns the running browser, without its permit.
    pub(super) fn into_parts(self) -> (Session, Driver, TempDir) {
        (self.session, self.driver, self.folder)
    }

    /// Ends the browser, requires that no page logged an error, and returns the files left on disk.
    pub(crate) async fn end(self) -> LeftoverFiles {
        self.check_page_errors().await;
        let Self { kind, session, driver, folder, .. } = self;
        (*session).clone().quit().await.unwrap();
        drop(driver);
        if kind == Kind::Firefox {
            startup_cache::keep(&folder.path().join("profile"));
        }
        LeftoverFiles(folder)
    }

    /// Requires that no page logged an error, and kills the browser.
    ///
    /// The kill takes less time than an orderly end.
    pub(super) async fn kill(self) {
        self.check_page_errors().await;
    }

    pub(super) async fn check_page_errors(&self) {
        let page_errors = self.unexpected_page_errors().await;
        assert!(page_errors.is_empty(), "{:?} reported errors: {page_errors:#?}", self.kind);
    }

    /// Opens a URL.
    pub(crate) async fn goto(&self, url: &str) {
        // A URL that differs only in its fragment would scroll instead of loading the page.
        self.session.goto("about:blank").await.unwrap();
        self.session.goto(url).await.unwrap();
    }

    /// Reloads the page.
    pub(crate) async fn reload(&self) {
        self.session.refresh().await.unwrap();
    }

    /// Returns the URL in the address bar.
    pub(crate) async fn address(&self) -> String {
        self.session.current_url().await.unwrap().to_string()
    }

    /// Runs `body` as an async function in the page, with its arguments in `args`.
    pub(crate) async fn script(&self, body: &str, args: Value) -> Value {
        let wrapped = format!(
            "const [args, done] = arguments; const failed = (error) => done({{ error: `${{error}} ${{error?.stack}}` }});
            (async () => {{ {body} }})().then((value) => done({{ value: value ?? null }}), failed)"
        );
        let response = self.session.execute_async(wrapped, vec![args]).await;
        let response = response.unwrap_or_else(|error| panic!("{:?}: {error}: {body}", self.kind));
        let error = &response.json()["error"];
        assert!(error.is_null(), "{:?}: {error}: {body}", self.kind);
        response.json()["value"].clone()
    }

    /// Sends a `DevTools` command; Chromium only.
    pub(crate) async fn tell(&self, method: &str, parameters: Value) -> Value {
        assert_eq!(self.kind, Kind::Chromium, "{method}");
        self.session.cdp().send_raw(method, parameters).await.unwrap()
    }

    /// Runs a script in each new page before the page's own scripts.
    pub(crate) async fn before_scripts(&self, script: &str) {
        self.tell("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    }

    /// Polls `look` until it returns a value, for at most [`PATIENCE`].
    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
        self.within(PATIENCE, what, look).await
    }

    /// Polls like [`Browser::until`], with ten times the timeout.
    pub(crate) async fn patiently<T>(&self, what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
        self.within(PATIENCE * 10, what, look).await
    }

    async fn within<T>(&self, patience: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            let seen = if started.elapsed() > patience { Some(self.sight().await) } else { None };
            assert!(seen.is_none(), "{:?} timed out waiting for {what}\n{}", self.kind, seen.unwrap_or_default());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns URL and text of the page, for the message of a failed test.
    async fn sight(&self) -> String {
        let page = self.session.execute("return `${location.href}\n${document.body.innerText}`", vec![]).await;
        let page = page.map_or_else(|error| error.to_string(), |page| page.json().as_str().unwrap_or("").to_owned());
        format!("the page: {page}\nerrors: {:#?}", self.unexpected_page_errors().await)
    }
}

fn capabilities(
    kind: Kind,
    program: &std::path::Path,
    folder: &TempDir,
    (preferences, trust): (&[(&str, Value)], Trust),
) -> Capabilities {
    let (profile, downloads) = (folder.path().join("profile"), folder.path().join("downloads"));
    let mut wanted = match kind {
        Kind::Chromium => json!({
            "download.default_directory": downloads,
            "download.prompt_for_download": false,
            // Allows several downloads of a page without a click.
            "profile.default_content_setting_values.automatic_downloads": 1,
        }),
        Kind::Firefox => json!({
            "browser.download.dir": downloads,
            "browser.download.folderList": 2,
            "browser.download.alwaysOpenPanel": false,
            "browser.download.always_ask_before_handling_new_types": false,
            // Prevents connections to other machines.
            "app.normandy.enabled": false,
            "network.captive-portal-service.enabled": false,
            "services.settings.server": "data:,#remote-settings-dummy/v1",
            // Page errors go to the driver's output.
            "devtools.console.stdout.content": true,
        }),
    };
    for (name, value) in preferences {
        wanted[*name] = value.clone();
    }
    let mut all = match kind {
        Kind::Chromium => json!({
            "goog:chromeOptions": { "binary": program, "prefs": wanted, "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage",
                // Makes the browser end with its driver, however the driver ends.
                "--remote-debugging-pipe",
                format!("--user-data-dir={}", profile.display()),
            ] },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "unhandledPromptBehavior": "ignore",
        }),
        Kind::Firefox => json!({
            "moz:firefoxOptions": {
                "binary": program, "prefs": wanted, "args": ["-headless", "-profile", profile],
            },
            "unhandledPromptBehavior": "ignore",
        }),
    };
    if trust == Trust::Anybody {
        all["acceptInsecureCerts"] = true.into();
        if let Some(arguments) = all["goog:chromeOptions"]["args"].as_array_mut() {
            // The capability holds for pages, but not for service workers.
            arguments.push("--ignore-certificate-errors".into());
        }
    }
    let Value::Object(all) = all else { unreachable!("capabilities are an object") };
    all.into()
}
