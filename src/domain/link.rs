//! Share links: `https://HOST[/BASE]/d/{transfer_id}#{key}`.

use std::str::FromStr;

use url::Url;
use zeroize::Zeroizing;

use super::id::TransferId;
use crate::domain::base_url::{BaseUrl, InvalidBaseUrl};
use crate::domain::crypto::key::{InvalidKey, LinkKey};

/// A share link: the URL of a transfer and, unless the key is shared separately, its decryption key.
///
/// The type implements no `Debug`, and no error contains the fragment, because the fragment can decrypt the payload.
#[derive(Clone)]
pub struct Link {
    /// Base URL of the server that stores the transfer.
    pub base_url: BaseUrl,
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Key from the fragment, which is never sent to a server; `None` if the key is shared separately.
    pub key: Option<LinkKey>,
}

/// The text is not a share link. The error does not contain the text, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLink {
    /// The part before the fragment contains no valid base URL.
    #[error("the link contains no valid server address")]
    BaseUrl(#[source] InvalidBaseUrl),
    /// The path does not end in `/d/` and a transfer id.
    #[error("the link's path does not end in /d/ and the 32 hex digits of a transfer id")]
    Path,
    /// The fragment is not a key.
    #[error("the part of the link after the # is not a valid key")]
    Key(#[source] InvalidKey),
}

impl Link {
    /// Returns the link's text, with the key if present.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let (address, key) = (self.without_key(), self.key.as_ref().map(LinkKey::to_text));
        // Allocated once: reallocation would leave copies of the key in memory.
        let length = address.len() + key.as_ref().map_or(0, |key| 1 + key.len());
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(&address);
        if let Some(key) = key {
            text.push('#');
            text.push_str(&key);
        }
        text
    }

    /// Returns the link's text without the fragment: safe for output and logs, and for sharing the key separately.
    #[must_use]
    pub fn without_key(&self) -> String {
        self.base_url.join(&format!("/d/{}", self.transfer_id)).into()
    }

    /// Returns whether the link uses plain `http` to another machine: an attacker could alter the page in transit.
    #[must_use]
    pub fn is_plain_http_beyond_loopback(&self) -> bool {
        self.base_url.is_plain_http_beyond_loopback()
    }
}

impl FromStr for Link {
    type Err = InvalidLink;

    /// Parses a link, and tolerates damage by mail programs.
    ///
    /// Ignores surrounding angle brackets, quotes, parentheses and spaces, trailing punctuation, and a query before
    /// the fragment.
    fn from_str(text: &str) -> Result<Self, InvalidLink> {
        let text = trim_decoration(text);
        let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut url = Url::parse(address).map_err(|error| InvalidLink::BaseUrl(InvalidBaseUrl::NotAUrl(error)))?;
        url.set_query(None);
        let mut segments = url.path().trim_end_matches('/').rsplitn(3, '/');
        let (id, marker, base) = (segments.next(), segments.next(), segments.next());
        let transfer_id = id.unwrap_or_default().parse().map_err(|_| InvalidLink::Path)?;
        if marker != Some("d") {
            return Err(InvalidLink::Path);
        }
        let base = base.unwrap_or_default().to_owned();
        url.set_path(&base);
        let base_url = BaseUrl::new(url).map_err(InvalidLink::BaseUrl)?;
        let key = match fragment {
            "" => None,
            fragment => Some(fragment.parse().map_err(InvalidLink::Key)?),
        };
        Ok(Self { base_url, transfer_id, key })
    }
}

/// Removes quotes, brackets, spaces and punctuation around a link. No link starts or ends with these characters.
fn trim_decoration(text: &str) -> &str {
    let is_decoration = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || "<>\"'`\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}\u{ab}\u{bb}\u{feff}\u{200b}".contains(c)
    };
    text.trim_start_matches(|c: char| is_decoration(c) || c == '(')
        .trim_end_matches(|c: char| is_decoration(c) || ".,;:!?)".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";
    const KEY: &str = "v1.B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E";

    #[test]
    fn links_round_trip() {
        for base_url in [
            "https://send.example.org",
            "https://send.example.org/base",
            "https://h:8443/a/d/b",
            "http://127.0.0.1:8080",
        ] {
            let without_key = format!("{base_url}/d/{ID}");
            let text = format!("{without_key}#{KEY}");
            let link: Link = text.parse().unwrap();
            assert_eq!(link.base_url.to_string(), base_url);
            assert_eq!(link.transfer_id.to_string(), ID);
            assert_eq!(*link.to_text(), text);
            assert_eq!(link.without_key(), without_key);

            let link: Link = without_key.parse().unwrap();
            assert!(link.key.is_none());
            assert_eq!(*link.to_text(), without_key);
        }
    }

    #[test]
    fn mangled_links_are_parsed() {
        let text = format!("https://send.example.org/base/d/{ID}#{KEY}");
        for mangled in [
            format!("<{text}>"),
            format!("  {text}\r\n"),
            format!("{text}."),
            format!("{text}..."),
            format!("<{text}>."),
            format!("\"{text}\""),
            format!("'{text}'."),
            format!("\u{201c}{text}\u{201d}"),
            format!("({text})."),
            format!("\u{feff}{text}"),
            text.replace('#', "?utm=1#"),
            text.replace('#', "?utm_source=mail&utm_medium=a/b#"),
            text.replace('#', "/#"),
            text.replace("https://send", "HTTPS://SEND"),
            text.replace("#v1.", "#"),
        ] {
            let link: Link = mangled.parse().unwrap_or_else(|error| panic!("{mangled:?}: {error}"));
            assert_eq!(*link.to_text(), text, "{mangled:?}");
        }
        let bare = format!("<https://send.example.org/d/{ID}#>.").parse::<Link>().unwrap();
        assert!(bare.key.is_none());
    }

    #[test]
    fn other_texts_are_rejected() {
        for (text, error) in [
            (String::new(), InvalidLink::BaseUrl(InvalidBaseUrl::NotAUrl(url::ParseError::RelativeUrlWithoutBase))),
            (format!("ftp://h/d/{ID}#{KEY}"), InvalidLink::BaseUrl(InvalidBaseUrl::Scheme)),
            (format!("https://u:p@h/d/{ID}#{KEY}"), InvalidLink::BaseUrl(InvalidBaseUrl::Credentials)),
            (format!("mailto:{ID}#{KEY}"), InvalidLink::Path),
            (format!("https://h/#{KEY}"), InvalidLink::Path),
            (format!("https://h/{ID}#{KEY}"), InvalidLink::Path),
            (format!("https://h/e/{ID}#{KEY}"), InvalidLink::Path),
            (format!("https://h/d/{ID}/x#{KEY}"), InvalidLink::Path),
            (format!("https://h/d/{}#{KEY}", &ID[1..]), InvalidLink::Path),
            (format!("https://h/d/{ID}#{}", &KEY[..45]), InvalidLink::Key(InvalidKey::Malformed)),
            (format!("https://h/d/{ID}#v2.{}", &KEY[3..]), InvalidLink::Key(InvalidKey::Version)),
            (format!("https://h/d/{ID}#{KEY}#"), InvalidLink::Key(InvalidKey::Malformed)),
        ] {
            assert_eq!(text.parse::<Link>().err(), Some(error), "{text:?}");
        }
    }

    #[test]
    fn plain_http_to_other_hosts_is_detected() {
        for (base_url, insecure) in
            [("http://example.org", true), ("http://localhost:1", false), ("https://example.org", false)]
        {
            let link: Link = format!("{base_url}/d/{ID}").parse().unwrap();
            assert_eq!(link.is_plain_http_beyond_loopback(), insecure);
        }
    }

    proptest! {
        #[test]
        fn the_parser_never_panics(text in ".{0,200}") {
            let _ = text.parse::<Link>().map(|link| link.to_text());
        }

        #[test]
        fn errors_do_not_contain_the_fragment(fragment in "[a-z0-9]{8,60}") {
            if let Err(error) = format!("https://h/d/{ID}#{fragment}").parse::<Link>() {
                let text = format!("{error} {error:?}");
                prop_assert!(!text.contains(&fragment));
            }
        }
    }
}
