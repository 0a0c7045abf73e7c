//! Static files that are built into the program.

use bytes::Bytes;
use http::HeaderValue;

use super::file::WebFile;

/// Static file and its path in this folder.
#[derive(Debug)]
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) content: &'static [u8],
}

/// Includes the file at a path relative to `src/server/web`.
macro_rules! asset {
    ($path:literal) => {
        $crate::server::web::asset::Asset { path: $path, content: include_bytes!($path) }
    };
}
pub(super) use asset;

impl Asset {
    /// Returns the path in URLs, relative to `/web/`.
    pub(super) fn url_path(&self) -> &'static str {
        self.path.strip_prefix("scripts/").unwrap_or(self.path)
    }

    /// Returns the asset as text. Templates, texts and scripts are UTF-8.
    pub(super) fn text(&self) -> &'static str {
        std::str::from_utf8(self.content).expect("the assets of pages are UTF-8")
    }

    /// Returns the file to serve.
    pub(super) fn file(&self) -> WebFile {
        let media_type = HeaderValue::from_static(match self.path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js" | "mjs") => "text/javascript; charset=utf-8",
            Some("txt") => "text/plain; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "application/octet-stream",
        });
        WebFile::new(Bytes::from_static(self.content), media_type, "accept-encoding")
    }
}
