//! Plain HTML pages with escaped text, and without inline scripts or requests to other origins.

use std::fmt::Write;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// Content security policy of plain pages: styles, images, scripts and requests of this service only.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// Builder for the body of a page.
#[derive(Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Adds an element that contains `text`, escaped.
    pub(crate) fn element(&mut self, name: &'static str, text: &str) {
        self.write(format_args!("<{name}>{}</{name}>\n", escaped(text)));
    }

    /// Adds an unordered list with one item per text, escaped.
    pub(crate) fn list(&mut self, texts: &[String]) {
        self.0.push_str("<ul>\n");
        for text in texts {
            self.element("li", text);
        }
        self.0.push_str("</ul>\n");
    }

    /// Adds a paragraph with a link; `text` is escaped.
    pub(crate) fn link(&mut self, target: &'static str, text: &str) {
        self.write(format_args!("<p><a href=\"{target}\">{}</a></p>\n", escaped(text)));
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a String cannot fail");
    }
}

/// Escapes a text for elements and quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// Renders a whole page; `root` is the relative path to the service's root.
pub(crate) fn render(title: &str, root: &'static str, body: &Html) -> Bytes {
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

/// Creates the response with a rendered page.
pub(crate) fn response(html: Bytes) -> Response {
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
