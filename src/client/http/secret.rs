//! Secrets bound to one origin.

use http::{HeaderName, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use crate::client::Origin;
use crate::domain::token::PlainToken;

/// Secret that is revealed only for requests to its own origin. Has no `Debug` output.
pub struct OriginBound<S> {
    origin: Origin,
    secret: S,
}

/// Attempt to send a secret to an origin that it does not belong to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret of {owner} is not sent to {requested}")]
pub struct ForeignOrigin {
    owner: Origin,
    requested: Origin,
}

impl<S> OriginBound<S> {
    /// Binds `secret` to `origin`.
    #[must_use]
    pub const fn new(origin: Origin, secret: S) -> Self {
        Self { origin, secret }
    }

    /// Returns the origin that the secret belongs to.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the secret for a request to `url`, if the origins match.
    pub fn reveal_to(&self, url: &Url) -> Result<&S, ForeignOrigin> {
        let requested = Origin::of(url);
        if requested == self.origin {
            Ok(&self.secret)
        } else {
            Err(ForeignOrigin { owner: self.origin.clone(), requested })
        }
    }
}

/// Sender token of one public service.
pub type SenderToken = OriginBound<PlainToken>;

/// Admin key of one admin service.
pub type BoundAdminKey = OriginBound<AdminSecret>;

/// Admin key, and the request header that carries it.
pub struct AdminSecret {
    /// The header's name; `x-api-key` by default.
    pub header: HeaderName,
    /// The key.
    pub key: Zeroizing<String>,
}

/// Creates a header value marked as sensitive, so that logs hide it. Returns `None` for characters not valid in a
/// header.
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
        let bound = OriginBound::new(Origin::of(&url("https://send.example/base")), 7);
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
        let error = bound.reveal_to(&url("http://send.example/x?secret")).unwrap_err();
        assert_eq!(error.to_string(), "a secret of https://send.example is not sent to http://send.example");
    }
}
