//! Share links: `https://HOST[/BASE]/d/{transfer_id}#{key}`.

mod choose;
mod clean;
mod decode;
mod key;
mod request;
mod scan;

use std::str::FromStr;

use zeroize::Zeroizing;

pub use request::{InvalidPurpose, InvalidRequestLink, MAX_PURPOSE_CHARS, RequestLink, RequestPurpose};

use super::id::TransferId;
use crate::domain::base_url::{BaseUrl, InvalidBaseUrl};
use crate::domain::crypto::key::LinkKey;

/// A share link: the URL of a link of a transfer and, unless shared separately, its key.
///
/// The link of a transfer for recipients has `to.` and a commitment in place of the key, and is not secret.
///
/// The type implements no `Debug`, and no error contains the fragment, because the fragment can decrypt the payload.
#[derive(Clone)]
pub struct Link {
    /// Base URL of the server that stores the transfer.
    pub base_url: BaseUrl,
    /// Id of the link: that of the transfer for its own link.
    pub transfer_id: TransferId,
    /// Key from the fragment, which is never sent to a server; `None` if the key is shared separately.
    pub key: Option<LinkKey>,
}

/// The text is not a share link. The error does not contain the text, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLink {
    /// The text has no visible characters.
    #[error("the link is empty")]
    Empty,
    /// The text contains no `/d/` with an id behind it.
    #[error("the link's path does not end in /d/ and the 32 hex digits of a transfer id")]
    Path,
    /// The `/d/` has no address before it.
    #[error("the link contains no server address before /d/")]
    NoServer,
    /// The part before the fragment contains no valid base URL.
    #[error("the link contains no valid server address")]
    BaseUrl(#[source] InvalidBaseUrl),
    /// The id ends early.
    #[error("the link ends too early: {missing} of the 32 hex digits of its transfer id are missing")]
    IdTooShort {
        /// Number of missing digits.
        missing: usize,
    },
    /// The id has more than 32 digits.
    #[error("the link's transfer id has {extra} too many hex digits: it must have 32")]
    IdTooLong {
        /// Number of digits beyond 32.
        extra: usize,
    },
    /// The id contains something other than hex digits.
    #[error("the link's transfer id is damaged: its character number {position} is not a hex digit")]
    IdCharacter {
        /// Number of the character, from 1.
        position: usize,
    },
    /// The key starts with none of `v1.`, `v1p.`, `v2.`, `v2p.` and `to.`.
    #[error("unknown key version: a key starts with v1., v1p., v2., v2p. or to.")]
    KeyVersion,
    /// The key ends early.
    #[error("{}", missing_text(*.missing))]
    KeyTooShort {
        /// Number of missing characters.
        missing: usize,
    },
    /// The key has more than 43 characters behind its version.
    #[error("the key is too long: it has {extra} more than its 43 characters")]
    KeyTooLong {
        /// Number of characters beyond 43.
        extra: usize,
    },
    /// The key contains a character that no key has.
    #[error("the key is damaged: its character number {position} is not a letter, digit, hyphen or underscore")]
    KeyCharacter {
        /// Number of the character behind the version, from 1.
        position: usize,
    },
    /// The key has 43 characters, but the last one cannot end a key.
    #[error("the key is damaged: no key ends with its last character")]
    KeyDamaged,
    /// The text contains links of different transfers, or with different keys.
    #[error("the text contains two different links")]
    SeveralLinks,
}

fn missing_text(missing: usize) -> String {
    match missing {
        key::CHARACTERS => "the link ends before its key".to_owned(),
        1 => "the key is incomplete: 1 of its 43 characters is missing".to_owned(),
        missing => format!("the key is incomplete: {missing} of its 43 characters are missing"),
    }
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

    /// Returns the link's text without the fragment. Safe for output and logs, and for sharing the key separately.
    #[must_use]
    pub fn without_key(&self) -> String {
        self.base_url.join(&format!("/d/{}", self.transfer_id)).into()
    }

    /// Returns whether the link uses plain `http` to another machine. An attacker could alter the page in transit.
    #[must_use]
    pub fn is_plain_http_beyond_loopback(&self) -> bool {
        self.base_url.is_plain_http_beyond_loopback()
    }
}

impl FromStr for Link {
    type Err = InvalidLink;

    /// Parses a link as people paste it.
    ///
    /// Accepts what mail programs, chats and phones do to a link, as long as a single link is meant: line breaks, spaces
    /// and invisible characters inside, quote marks, percent-encoding and similar encodings, link protection, Markdown
    /// and HTML, typographic characters, capitals, text around it, a query, and a missing scheme.
    fn from_str(text: &str) -> Result<Self, InvalidLink> {
        choose::link(text)
    }
}

impl Link {
    /// Parses the key of a link as people paste it: alone, behind a `#`, in a text, or as part of a link.
    pub fn parse_key(text: &str) -> Result<LinkKey, InvalidLink> {
        choose::key(text)
    }

    /// Parses a transfer id that has only quotes, brackets, white space or punctuation around it.
    #[must_use]
    pub fn parse_id(text: &str) -> Option<TransferId> {
        choose::id(text)
    }
}

#[cfg(test)]
mod tests;
