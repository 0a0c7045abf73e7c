//! Links of requests: `https://HOST[/BASE]/r/{token_id}#r1.{secret}.{recipient}[&for={purpose}]`.

use std::fmt::Write;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::decode;
use crate::domain::base_url::{BaseUrl, InvalidBaseUrl};
use crate::domain::crypto::base64url;
use crate::domain::crypto::request_secret::RequestSecret;
use crate::domain::id::TokenId;
use crate::domain::people::recipient_keys::RecipientKey;
use crate::domain::token::PlainToken;

/// Maximum length of the purpose of a request, in characters.
pub const MAX_PURPOSE_CHARS: usize = 200;
/// Version of the fragment.
const VERSION: &str = "r1.";
/// Start of the purpose in the fragment.
const PURPOSE: &str = "&for=";

/// Link of a request, with which guests upload to its owner.
///
/// The type implements no `Debug`, and no error contains the fragment, because its holder can use up the request.
#[derive(Clone)]
pub struct RequestLink {
    /// Base URL of the server.
    pub base_url: BaseUrl,
    /// Id of the request and of its token.
    pub token_id: TokenId,
    /// Secret of the request.
    pub secret: RequestSecret,
    /// Public key of the owner, for which guests wrap their payload keys. Never asked of a server, which could swap it.
    pub recipient: RecipientKey,
    /// Purpose of the request, in the words of the link's maker.
    pub purpose: Option<RequestPurpose>,
}

/// Purpose of a request: up to 200 characters without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPurpose(String);

/// The text cannot be the purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX_PURPOSE_CHARS} characters and no control characters")]
pub struct InvalidPurpose;

/// The text is not the link of a request. The error does not contain the text, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequestLink {
    /// The text contains no `/r/` with an id behind it.
    #[error("this is no request link: its path does not end in /r/ and the 16 hex digits of a request")]
    Path,
    /// The part before the fragment contains no valid base URL.
    #[error("the request link contains no valid server address")]
    BaseUrl(#[source] InvalidBaseUrl),
    /// The fragment is missing, or ends early.
    #[error("the request link is incomplete: the part behind the # is missing or too short")]
    Incomplete,
    /// The fragment has another version.
    #[error("unknown version of a request link: a newer sgsend may know it")]
    Version,
    /// The fragment is damaged.
    #[error("the request link is damaged behind the #")]
    Damaged,
}

impl RequestPurpose {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestPurpose {
    type Err = InvalidPurpose;

    fn from_str(text: &str) -> Result<Self, InvalidPurpose> {
        let text = text.trim();
        let is_valid = (1..=MAX_PURPOSE_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidPurpose) }
    }
}

impl RequestLink {
    /// Returns the token of the request.
    #[must_use]
    pub fn token(&self) -> PlainToken {
        self.secret.token(self.token_id)
    }

    /// Returns the link's text.
    ///
    /// # Panics
    /// Never for a recipient with an X25519 key, the only ones that links have.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let address = self.without_secret();
        let key = self.recipient.x25519_bytes().expect("a request has an X25519 recipient");
        let purpose = self.purpose.as_ref().map(|purpose| encode(purpose.as_str()));
        // Allocated once: reallocation would leave copies of the secret in memory.
        let length = address.len() + 1 + VERSION.len() + 2 * base64url::CHARACTERS + 1;
        let length = length + purpose.as_ref().map_or(0, |purpose| PURPOSE.len() + purpose.len());
        let mut text = Zeroizing::new(String::with_capacity(length));
        for part in [&address, "#", VERSION, &self.secret.to_text(), ".", &base64url::encode(&key)] {
            text.push_str(part);
        }
        if let Some(purpose) = purpose {
            text.push_str(PURPOSE);
            text.push_str(&purpose);
        }
        text
    }

    /// Returns the link's text without the fragment. Safe for output and logs.
    #[must_use]
    pub fn without_secret(&self) -> String {
        self.base_url.join(&format!("/r/{}", self.token_id)).into()
    }
}

impl FromStr for RequestLink {
    type Err = InvalidRequestLink;

    /// Parses a link as people paste it: with a text around it, or percent-encoded.
    fn from_str(text: &str) -> Result<Self, InvalidRequestLink> {
        let mut failure = InvalidRequestLink::Path;
        for reading in decode::readings(text) {
            for start in ["https://", "http://"].iter().flat_map(|scheme| reading.match_indices(scheme)) {
                match parse(&reading[start.0..]) {
                    Ok(link) => return Ok(link),
                    Err(error) if failure == InvalidRequestLink::Path => failure = error,
                    Err(_) => {}
                }
            }
        }
        Err(failure)
    }
}

/// Parses a link at the start of a text.
fn parse(text: &str) -> Result<RequestLink, InvalidRequestLink> {
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`')).unwrap_or(text.len());
    let (address, fragment) = match text[..end].split_once('#') {
        Some((address, fragment)) => (address, Some(fragment)),
        None => (&text[..end], None),
    };
    let address = address.split('?').next().unwrap_or_default().trim_end_matches('/');
    let (base, id) = address.rsplit_once("/r/").ok_or(InvalidRequestLink::Path)?;
    let token_id = id.parse().map_err(|_| InvalidRequestLink::Path)?;
    let base_url = base.parse().map_err(InvalidRequestLink::BaseUrl)?;
    let fragment = fragment.filter(|fragment| !fragment.is_empty()).ok_or(InvalidRequestLink::Incomplete)?;
    let rest = fragment.strip_prefix(VERSION).ok_or_else(|| {
        let has_version = fragment.split_once('.').is_some_and(|(version, _)| version.starts_with('r'));
        if has_version { InvalidRequestLink::Version } else { InvalidRequestLink::Damaged }
    })?;
    let (keys, purpose) = match rest.split_once('&') {
        Some((keys, parameters)) => (keys, parameters.split('&').find_map(|part| part.strip_prefix("for="))),
        None => (rest, None),
    };
    let keys = keys.trim_end_matches([')', ']', '}', ',', ';', ':', '!', '.', '\'', '*']);
    if keys.len() < 2 * base64url::CHARACTERS + 1 {
        return Err(InvalidRequestLink::Incomplete);
    }
    let (secret, key) = keys.split_once('.').ok_or(InvalidRequestLink::Damaged)?;
    let secret = secret.parse().map_err(|_| InvalidRequestLink::Damaged)?;
    let key = base64url::decode(key).ok_or(InvalidRequestLink::Damaged)?;
    // A purpose that cannot be read is not worth a refusal: it is only shown.
    let purpose = purpose.and_then(|purpose| decode_purpose(purpose).parse().ok());
    Ok(RequestLink { base_url, token_id, secret, recipient: RecipientKey::of_x25519_bytes(&key), purpose })
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string never fails");
        }
    }
    encoded
}

fn decode_purpose(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(purpose: Option<&str>) -> RequestLink {
        RequestLink {
            base_url: "https://send.example/base".parse().unwrap(),
            token_id: "0123456789abcdef".parse().unwrap(),
            secret: RequestSecret::from_bytes(Zeroizing::new(std::array::from_fn(|at| u8::try_from(at).unwrap()))),
            recipient: RecipientKey::of_x25519_bytes(&[9; 32]),
            purpose: purpose.map(|purpose| purpose.parse().unwrap()),
        }
    }

    const TEXT: &str = "https://send.example/base/r/0123456789abcdef#r1.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8.\
                        CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk";

    #[test]
    fn a_link_has_one_text() {
        assert_eq!(*link(None).to_text(), TEXT);
        assert_eq!(
            *link(Some("tax papers & more, 2026")).to_text(),
            format!("{TEXT}&for=tax%20papers%20%26%20more%2C%202026")
        );
        assert_eq!(link(None).without_secret(), "https://send.example/base/r/0123456789abcdef");
    }

    #[test]
    fn links_parse_as_people_paste_them() {
        for purpose in [None, Some("tax papers"), Some("50 % – größer \"as\" <usual>"), Some("a=b&c=d")] {
            let text = link(purpose).to_text();
            let encoded = text.replace('#', "%23");
            for pasted in [
                text.to_string(),
                format!("  <{}> ", *text),
                format!("Please use {}\nThanks", *text),
                encoded,
                text.replace("#r1", "?utm_source=mail#r1"),
                text.replace("#r1", "/#r1"),
            ] {
                let parsed: RequestLink = pasted.parse().unwrap_or_else(|error| panic!("{pasted}: {error}"));
                assert_eq!(parsed.token().to_text(), link(None).token().to_text(), "{pasted}");
                assert_eq!(parsed.recipient.as_str(), link(None).recipient.as_str());
                if !pasted.contains("%23") {
                    assert_eq!(parsed.purpose.as_ref().map(RequestPurpose::as_str), purpose, "{pasted}");
                }
            }
        }
        assert!(format!("({TEXT}).").parse::<RequestLink>().is_ok());
    }

    #[test]
    fn damaged_links_say_what_is_wrong() {
        let cut = &TEXT[..TEXT.len() - 1];
        for (text, error) in [
            ("", InvalidRequestLink::Path),
            ("https://send.example/d/0123456789abcdef0123456789abcdef#v1.x", InvalidRequestLink::Path),
            (cut, InvalidRequestLink::Incomplete),
            (TEXT.split('#').next().unwrap(), InvalidRequestLink::Incomplete),
            (&TEXT.replace("r1.", "r2."), InvalidRequestLink::Version),
            (&TEXT.replace("r1.", "v1."), InvalidRequestLink::Damaged),
            (&TEXT.replace(".CQ", "_CQ"), InvalidRequestLink::Damaged),
            (&TEXT.replace("0123", "012g"), InvalidRequestLink::Path),
        ] {
            assert_eq!(text.parse::<RequestLink>().err(), Some(error), "{text}");
        }
    }

    #[test]
    fn a_purpose_is_short_and_plain() {
        assert_eq!(" tax papers ".parse::<RequestPurpose>().unwrap().as_str(), "tax papers");
        assert!("ü".repeat(MAX_PURPOSE_CHARS).parse::<RequestPurpose>().is_ok());
        for wrong in ["", "  ", "a\nb", &"a".repeat(MAX_PURPOSE_CHARS + 1)] {
            assert_eq!(wrong.parse::<RequestPurpose>(), Err(InvalidPurpose), "{wrong:?}");
        }
    }
}
