//! Base URL of a server: `https://HOST[:PORT][/BASE]`.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::domain::address::is_loopback;

/// Base URL of a server's routes: `http` or `https`, a host, and an optional base path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(Url);

/// The text is not a valid base URL. The error does not contain the text, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// The text is not an absolute URL.
    #[error("not a valid URL")]
    NotAUrl(#[source] url::ParseError),
    /// The scheme is neither `http` nor `https`.
    #[error("the URL's scheme must be https or http")]
    Scheme,
    /// The URL contains a user name or password.
    #[error("the URL must not contain a user name or password")]
    Credentials,
    /// The URL has a query or a fragment.
    #[error("the URL must not contain a query or fragment")]
    Trailing,
}

impl BaseUrl {
    /// Checks that `url` is a valid base URL, and removes trailing slashes from its path.
    pub fn new(mut url: Url) -> Result<Self, InvalidBaseUrl> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidBaseUrl::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidBaseUrl::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidBaseUrl::Trailing);
        }
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&base);
        Ok(Self(url))
    }

    /// Returns the URL of `path`, which must start with a slash and is appended to the base path.
    #[must_use]
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url
    }

    /// Returns whether requests can be read in transit: plain `http` to a host other than this machine.
    #[must_use]
    pub fn is_plain_http_beyond_loopback(&self) -> bool {
        self.0.scheme() == "http" && !self.is_loopback()
    }

    /// Returns whether the server is reached over TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns whether the host is `localhost` or a loopback address, without a DNS lookup.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
            Some(Host::Ipv4(address)) => is_loopback(address.into()),
            Some(Host::Ipv6(address)) => is_loopback(address.into()),
            None => false,
        }
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        Self::new(Url::parse(text).map_err(InvalidBaseUrl::NotAUrl)?)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_slashes_are_ignored() {
        for (text, written) in [
            ("https://send.example.org", "https://send.example.org"),
            ("https://Send.Example.org:443/", "https://send.example.org"),
            ("http://127.0.0.1:8080/a/b//", "http://127.0.0.1:8080/a/b"),
            ("http://[::1]:1/a", "http://[::1]:1/a"),
        ] {
            let root: BaseUrl = text.parse().unwrap();
            assert_eq!(root.to_string(), written);
            assert_eq!(root.join("/d/1").as_str(), format!("{written}/d/1"));
            assert_eq!(written.parse(), Ok(root));
        }
    }

    #[test]
    fn other_urls_are_rejected() {
        for (text, error) in [
            ("ftp://example.org", InvalidBaseUrl::Scheme),
            ("file:///etc/passwd", InvalidBaseUrl::Scheme),
            ("https://me@example.org", InvalidBaseUrl::Credentials),
            ("https://:secret@example.org", InvalidBaseUrl::Credentials),
            ("https://example.org?a", InvalidBaseUrl::Trailing),
            ("https://example.org/#", InvalidBaseUrl::Trailing),
            ("example.org", InvalidBaseUrl::NotAUrl(url::ParseError::RelativeUrlWithoutBase)),
            ("https://", InvalidBaseUrl::NotAUrl(url::ParseError::EmptyHost)),
        ] {
            assert_eq!(text.parse::<BaseUrl>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn plain_http_to_other_hosts_is_detected() {
        for (text, insecure) in [
            ("http://127.0.0.1:8080", false),
            ("http://127.9.9.9", false),
            ("http://[::1]", false),
            ("http://LOCALHOST:1", false),
            ("https://example.org", false),
            ("http://example.org", true),
            ("http://localhost.example.org", true),
            ("http://10.0.0.1", true),
            ("http://[::2]", true),
            ("http://0.0.0.0", true),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().is_plain_http_beyond_loopback(), insecure, "{text}");
        }
    }
}
