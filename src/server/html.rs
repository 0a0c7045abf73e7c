//! Plain pages: text into elements, escaped, without a script or a request to anyone else.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use crate::domain::digest::Sha256;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}\
pre,code{font-family:ui-monospace,monospace}\
pre{padding:.75rem 1rem;border:1px solid;border-radius:.4rem;overflow-x:auto}\
h2{margin-top:2.5rem}h3{margin-top:2rem}\
input,button{font:inherit;padding:.4rem .6rem}";

/// What a page may do: nothing but its own style, and, for the one that has a form, its own script.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(Sha256::of(STYLE.as_bytes()).as_bytes());
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("the policy is ASCII")
});

/// The body of a page.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds an element with text in it.
    pub(super) fn element(&mut self, name: &'static str, text: &str) {
        self.write(format_args!("<{name}>{}</{name}>\n", escaped(text)));
    }

    /// Adds a list with a text in each item.
    pub(super) fn list(&mut self, texts: &[String]) {
        self.0.push_str("<ul>\n");
        for text in texts {
            self.element("li", text);
        }
        self.0.push_str("</ul>\n");
    }

    /// Adds a paragraph with a link.
    pub(super) fn link(&mut self, target: &'static str, text: &str) {
        self.write(format_args!("<p><a href=\"{target}\">{}</a></p>\n", escaped(text)));
    }

    /// Adds what is written in this program.
    pub(super) fn literal(&mut self, html: &'static str) {
        self.0.push_str(html);
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a String cannot fail");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// A whole page.
pub(super) fn page(title: &str, body: &Html) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <main>\n{}</main>\n</body>\n</html>\n",
        escaped(title),
        body.0
    );
    let mut response = html.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let mut html = Html::default();
        html.element("p", "<script>alert('&')</script>");
        assert_eq!(html.0, "<p>&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;</p>\n");
    }
}
