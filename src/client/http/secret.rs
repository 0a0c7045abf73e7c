//! Secrets that go to one origin only.

use http::{HeaderName, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use crate::client::Origin;
use crate::domain::token::PlainToken;

/// A secret and the origin it belongs to: only a URL of that origin gets to see it. Has no `Debug` output.
pub struct Bound<S> {
    origin: Origin,
    secret: S,
}

/// A secret was to be sent to an origin that it does not belong to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret of {owner} is not sent to {asked}")]
pub struct ForeignOrigin {
    owner: Origin,
    asked: Origin,
}

impl<S> Bound<S> {
    /// Binds `secret` to `origin`.
    #[must_use]
    pub const fn new(origin: Origin, secret: S) -> Self {
        Self { origin, secret }
    }

    /// The origin that the secret belongs to.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The secret, for a request to `url`.
    pub fn reveal_to(&self, url: &Url) -> Result<&S, ForeignOrigin> {
        let asked = Origin::of(url);
        if asked == self.origin { Ok(&self.secret) } else { Err(ForeignOrigin { owner: self.origin.clone(), asked }) }
    }
}

/// A sender token of one public service.
pub type SenderToken = Bound<PlainToken>;

/// The admin key of one admin service.
pub type AdminKey = Bound<AdminSecret>;

/// An admin key, and the header that its service reads it from.
pub struct AdminSecret {
    /// The header's name: `x-api-key` unless the operator has renamed it.
    pub header: HeaderName,
    /// The key.
    pub key: Zeroizing<String>,
}

/// Makes a header's value that no log shows; `None` for characters that no header can carry.
pub(crate) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_revealed_to_its_own_origin_only() {
        let url = |text| Url::parse(text).unwrap();
        let bound = Bound::new(Origin::of(&url("https://send.example/base")), 7);
        assert_eq!(bound.reveal_to(&url("https://send.example/transfers/create")), Ok(&7));
        for other in [
            "http://send.example/",
            "https://send.example:8443/",
            "https://other.example/",
            "https://send.example.other.example/",
            "https://send.example@other.example/",
        ] {
            assert!(bound.reveal_to(&url(other)).is_err(), "{other}");
        }
        let refused = bound.reveal_to(&url("http://send.example/x?secret")).unwrap_err();
        assert_eq!(refused.to_string(), "a secret of https://send.example is not sent to http://send.example");
    }
}
