//! Appearance of pages: window sizes, themes, screenshots.

use std::path::Path;

use serde_json::json;

use super::browser::{Browser, Kind};

/// Preferred colour scheme of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub(crate) const EACH: [Self; 2] = [Self::Light, Self::Dark];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Browser {
    /// Sets the size of the page in pixels.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        match self.kind {
            Kind::Chromium => {
                let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
                self.tell("Emulation.setDeviceMetricsOverride", size).await;
            }
            Kind::Firefox => self.session.set_window_rect(0, 0, width, height + 100).await.unwrap(),
        }
    }

    /// Sets the preferred colour scheme.
    pub(crate) async fn prefer(&self, theme: Theme) {
        let feature = json!({ "name": "prefers-color-scheme", "value": theme.name() });
        // Disables transitions, which would distort measurements.
        let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        self.tell("Emulation.setEmulatedMedia", json!({ "features": [feature, still] })).await;
    }

    /// Saves a screenshot of the whole page.
    pub(crate) async fn picture(&self, path: &Path) {
        // Hidden scrollbars would otherwise reduce the width of the screenshot.
        self.tell("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
        // A window of the page's height: Chromium shifts what is beyond a window in texts from right to left.
        let size = "return [innerWidth, Math.max(innerHeight, document.documentElement.scrollHeight)]";
        let size = self.script(size, serde_json::Value::Null).await;
        let pixels = |at: usize| size[at].as_u64().unwrap().try_into().unwrap();
        self.resize(pixels(0), pixels(1)).await;
        let picture = self.tell("Page.captureScreenshot", json!({ "format": "png" })).await;
        let picture = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, picture["data"].as_str().unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, picture.unwrap()).unwrap();
    }

    /// Returns the horizontal overflow of the page in pixels.
    pub(crate) async fn overflow(&self) -> i64 {
        let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.script(wide, serde_json::Value::Null).await.as_i64().unwrap()
    }
}
