//! Origins: scheme, host and port that a secret is bound to.

use std::fmt;

use url::Url;

use crate::domain::base_url::BaseUrl;

/// Scheme, host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(url::Origin);

impl Origin {
    /// Returns the origin of `url`.
    #[must_use]
    pub fn of(url: &Url) -> Self {
        Self(url.origin())
    }

    /// Returns whether the server is reached over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        matches!(&self.0, url::Origin::Tuple(scheme, _, _) if scheme == "https")
    }

    /// Returns the host name or address; an empty text for an opaque origin.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.0 {
            url::Origin::Tuple(_, host, _) => host.to_string(),
            url::Origin::Opaque(_) => String::new(),
        }
    }
}

impl From<&BaseUrl> for Origin {
    fn from(base_url: &BaseUrl) -> Self {
        Self::of(&base_url.join("/"))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.ascii_serialization())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(&Url::parse(text).unwrap())
    }

    #[test]
    fn scheme_host_and_port_make_an_origin() {
        assert_eq!(origin("https://a.example/x/y?z"), origin("https://A.example:443"));
        for other in [
            "http://a.example",
            "https://b.example",
            "https://a.example:444",
            "https://a.example.",
            "https://x.a.example",
        ] {
            assert_ne!(origin("https://a.example"), origin(other), "{other}");
        }
        assert_eq!(origin("http://127.0.0.1:8080/base").to_string(), "http://127.0.0.1:8080");
    }
}
