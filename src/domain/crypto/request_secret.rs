//! Secret of a request link, from which its token and the marks of its transfers are derived.

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::base64url;
use super::key::PayloadKey;
use super::secret_bytes::SecretBytes;
use crate::domain::id::TokenId;
use crate::domain::token::PlainToken;

/// Label of the derivation of the token's secret.
const TOKEN_LABEL: &[u8] = b"sgsend/v1/request-token";
/// Label of the derivation of the key of the marks.
const MARK_LABEL: &[u8] = b"sgsend/v1/request-auth";

/// The 32-byte secret in a request link, which no server ever receives.
///
/// The text form is 43 characters of unpadded, canonical base64url.
#[derive(Clone)]
pub struct RequestSecret(SecretBytes);

/// The text is not the secret of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret of a request must be 43 characters of base64url")]
pub struct InvalidRequestSecret;

/// Mark of a transfer that was sent through a request link: an HMAC over its payload key.
///
/// The text form is 43 characters of unpadded, canonical base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestMark([u8; 32]);

impl RequestSecret {
    /// Generates a secret with the operating system's random number generator.
    #[must_use]
    pub fn random() -> Self {
        Self(SecretBytes::random())
    }

    /// Returns the secret of raw bytes, which are zeroised on drop.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes.into())
    }

    /// Returns the text form, for the link.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        self.0.to_base64url()
    }

    /// Returns the token of the request with the id `token_id`.
    ///
    /// Its secret is HKDF-SHA256(request secret, salt empty, info `sgsend/v1/request-token`, 32 bytes).
    #[must_use]
    pub fn token(&self, token_id: TokenId) -> PlainToken {
        PlainToken::of(token_id, SecretBytes::derive(self.0.as_bytes(), TOKEN_LABEL))
    }

    /// Returns the mark of a transfer with this payload key.
    ///
    /// HMAC-SHA256(HKDF-SHA256(request secret, salt empty, info `sgsend/v1/request-auth`, 32 bytes), payload key).
    #[must_use]
    pub fn mark(&self, key: &PayloadKey) -> RequestMark {
        let tag = hmac::sign(&self.mark_key(), key.as_bytes());
        RequestMark(tag.as_ref().try_into().expect("an HMAC-SHA256 has 32 bytes"))
    }

    /// Returns whether `mark` is that of a transfer with this payload key, in constant time.
    #[must_use]
    pub fn has_marked(&self, key: &PayloadKey, mark: &RequestMark) -> bool {
        hmac::verify(&self.mark_key(), key.as_bytes(), &mark.0).is_ok()
    }

    fn mark_key(&self) -> hmac::Key {
        let key = SecretBytes::derive(self.0.as_bytes(), MARK_LABEL);
        hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())
    }
}

impl std::str::FromStr for RequestSecret {
    type Err = InvalidRequestSecret;

    fn from_str(text: &str) -> Result<Self, InvalidRequestSecret> {
        SecretBytes::from_base64url(text).map(Self).ok_or(InvalidRequestSecret)
    }
}

impl RequestMark {
    /// Returns the text form.
    #[must_use]
    pub fn to_text(&self) -> String {
        base64url::encode(&self.0).to_string()
    }

    /// Parses the text form; `None` for other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        base64url::decode(text).map(|bytes| Self(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 0x00 to 0x1f and 0x20 to 0x3f, as in `docs/format.md`.
    fn example() -> (RequestSecret, PayloadKey) {
        let bytes = |first: u8| Zeroizing::new(std::array::from_fn(|index| first + u8::try_from(index).unwrap()));
        (RequestSecret::from_bytes(bytes(0)), PayloadKey::from_bytes(bytes(0x20)))
    }

    #[test]
    fn token_and_mark_are_those_of_the_format() {
        let (secret, key) = example();
        let token = secret.token("0123456789abcdef".parse().unwrap()).to_text();
        assert_eq!(*token, "sgs_0123456789abcdef_ce4e9ad437723125d0f47816afeafbe68ec1f074a67eee76a4d46b09dd29ebba");
        assert_eq!(secret.mark(&key).to_text(), "GreLR5zvH_PRdUabzOh3RbycRF_maVSeTkYHODXlBP4");
    }

    #[test]
    fn a_mark_belongs_to_one_secret_and_one_payload_key() {
        let (secret, key) = example();
        let mark = RequestMark::parse(&secret.mark(&key).to_text()).unwrap();
        assert!(secret.has_marked(&key, &mark));
        assert!(!secret.has_marked(&PayloadKey::random(), &mark));
        assert!(!RequestSecret::random().has_marked(&key, &mark));
        assert_eq!(RequestMark::parse("short"), None);
    }

    #[test]
    fn a_secret_parses_from_its_text() {
        let secret = RequestSecret::random();
        let parsed: RequestSecret = secret.to_text().parse().unwrap();
        assert_eq!(parsed.to_text(), secret.to_text());
        for wrong in ["", "AAAA", &"A".repeat(44)] {
            assert_eq!(wrong.parse::<RequestSecret>().err(), Some(InvalidRequestSecret), "{wrong:?}");
        }
    }
}
