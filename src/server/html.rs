//! Plain pages: text into elements, escaped, without a script or a request to anyone else.

use std::fmt::Write;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// What such a page may do: nothing but its style, and, for the one that has a form, scripts of this service.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

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

/// A whole page; `root` leads from it to the service's root.
pub(super) fn page(title: &str, root: &'static str, body: &Html) -> Response {
    written(write(title, root, body))
}

/// Writes a page.
pub(super) fn write(title: &str, root: &'static str, body: &Html) -> Bytes {
    Bytes::from(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{}</title>\n\
         <link rel=\"icon\" href=\"{root}web/icon.svg\">\n<link rel=\"stylesheet\" href=\"{root}web/style.css\">\n\
         </head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        escaped(title),
        body.0
    ))
}

/// A page that was written.
pub(super) fn written(html: Bytes) -> Response {
    let mut response = html.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
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
