//! Finds the links in a text.

use std::ops::Range;

use url::Url;

use super::InvalidLink;
use super::clean::{Gap, Text};
use super::key;
use crate::domain::base_url::{BaseUrl, InvalidBaseUrl};
use crate::domain::crypto::key::LinkKey;
use crate::domain::id::TransferId;

/// Maximum number of characters between the start of a link and its `/d/`.
const MAX_ADDRESS: usize = 1_024;

/// A link in a text.
pub(super) struct Mention {
    pub(super) base_url: BaseUrl,
    /// Whether the text names the scheme.
    pub(super) has_scheme: bool,
    pub(super) id: TransferId,
    /// The key, or the reason why the text behind the id is no key.
    pub(super) key: Result<Option<LinkKey>, InvalidLink>,
}

/// Finds all links of a text, and the reasons why others are incomplete.
pub(super) fn mentions(text: &Text) -> Vec<Result<Mention, InvalidLink>> {
    (0..text.len()).filter(|at| text.has(*at, "/d/")).map(|at| mention(text, at)).collect()
}

/// Reads the link with its `/d/` at `at`.
fn mention(text: &Text, at: usize) -> Result<Mention, InvalidLink> {
    let (id, end) = read_id(text, at + 3)?;
    let key_start = key_start(text, end)?;
    let (base_url, has_scheme) = read_address(text, at)?;
    let key = match key_start {
        None => Ok(None),
        Some(start) if start == text.len() => Ok(None),
        Some(start) => match key::read(text, start) {
            Err(_) if is_end(text, start) => Ok(None),
            key => key.map(Some),
        },
    };
    Ok(Mention { base_url, has_scheme, id, key })
}

/// Returns whether a link ends with the `#` before `at`. Punctuation or another text then follows.
fn is_end(text: &Text, at: usize) -> bool {
    let (before, behind) = (text.gap(at - 1), text.gap(at));
    let is_key = key::is_key_character(text.char(at));
    // `ID #tag` and `ID# tag` rather than `ID#key`.
    key::prefix(text, at).is_none() && (!is_key || before == Gap::Space || behind != Gap::None)
}

/// Reads an id in lower or upper case; returns it and its end.
fn read_id(text: &Text, start: usize) -> Result<(TransferId, usize), InvalidLink> {
    let digits = (start..text.len()).take_while(|at| text.char(*at).is_ascii_hexdigit());
    let digits = digits.take_while(|at| at - start < TransferId::DIGITS || text.gap(*at) == Gap::None).count();
    let end = start + digits;
    let unbroken = 1 + (start + 1..end).take_while(|at| text.gap(*at) == Gap::None).count();
    let is_inside =
        text.gap(end) == Gap::None && text.char(end).is_ascii_alphanumeric() && key::prefix(text, end).is_none();
    match digits {
        0 if word_length(text, start).abs_diff(TransferId::DIGITS) < 3 => Err(InvalidLink::IdCharacter { position: 1 }),
        0 => Err(InvalidLink::Path),
        // The digits behind the white space belong to a word.
        digits if is_inside && unbroken < digits => {
            Err(InvalidLink::IdTooShort { missing: TransferId::DIGITS.saturating_sub(unbroken) })
        }
        TransferId::DIGITS if !is_inside => {
            let id: String = (start..end).map(|at| text.char(at).to_ascii_lowercase()).collect();
            Ok((id.parse().map_err(|_| InvalidLink::Path)?, end))
        }
        digits if is_inside => Err(InvalidLink::IdCharacter { position: digits + 1 }),
        digits if digits < TransferId::DIGITS => Err(InvalidLink::IdTooShort { missing: TransferId::DIGITS - digits }),
        digits => Err(InvalidLink::IdTooLong { extra: digits - TransferId::DIGITS }),
    }
}

fn word_length(text: &Text, start: usize) -> usize {
    (start..text.len()).take_while(|at| text.char(*at).is_alphanumeric()).count()
}

/// Returns the start of the key behind an id that ends at `end`, past a slash and a query. Returns `None` without a
/// key.
fn key_start(text: &Text, end: usize) -> Result<Option<usize>, InvalidLink> {
    let mut at = end;
    while text.char(at) == '/' {
        at += 1;
    }
    let is_directory = at > end && text.gap(at) == Gap::None;
    if is_directory && (text.char(at).is_alphanumeric() || text.char(at) == '.' && text.char(at + 1).is_alphanumeric())
    {
        return Err(InvalidLink::Path);
    }
    if matches!(text.char(at), '?' | '&') && text.gap(at) == Gap::None {
        let is_query = |at: &usize| !matches!(text.char(*at), '#' | '<' | '>' | '"') && text.gap(*at) != Gap::Space;
        let behind = at + 1 + (at + 1..text.len()).take_while(is_query).count();
        if text.char(behind) == '#' {
            at = behind;
        }
    }
    let hash = at;
    while text.char(at) == '#' {
        at += 1;
    }
    Ok((at > hash || key::prefix(text, at).is_some()).then_some(at))
}

/// Reads the address before the `/d/` at `end`; returns also whether it has a scheme.
fn read_address(text: &Text, end: usize) -> Result<(BaseUrl, bool), InvalidLink> {
    let first = end.saturating_sub(MAX_ADDRESS);
    let is_part = |at: usize| is_address_character(text.char(at)) || "()*,;=!$&'".contains(text.char(at));
    let reach = (first..end).rev().take_while(|at| is_part(*at)).last().unwrap_or(end);
    let scheme = (reach..end).rev().find(|at| text.char(*at) == ':' && text.char(at + 1) == '/');
    if let Some(colon) = scheme {
        let rest = colon + 1 + (colon + 1..end).take_while(|at| text.char(*at) == '/').count();
        if let Some(host) = host_behind(text, rest..end) {
            return without_scheme(text, host);
        }
        let scheme = scheme_before(text, colon).ok_or(InvalidLink::BaseUrl(InvalidBaseUrl::Scheme))?;
        return Ok((base_url(scheme, text, rest..end)?, true));
    }
    let is_part = |at: usize| is_address_character(text.char(at));
    let is_joined = |at: usize| at + 1 == end || text.gap(at + 1) == Gap::None;
    let start = (first..end).rev().take_while(|at| is_part(*at) && is_joined(*at)).last().unwrap_or(end);
    without_scheme(text, start..end)
}

/// Returns the address behind two or more words. The scheme before these words belongs to another link.
fn host_behind(text: &Text, address: Range<usize>) -> Option<Range<usize>> {
    let spaces: Vec<_> = (address.start + 1..address.end).filter(|at| text.gap(*at) == Gap::Space).collect();
    let is_word = |bounds: &&[usize]| (bounds[0]..bounds[1]).all(|at| text.char(at).is_alphabetic());
    let words = spaces.windows(2).rev().take_while(is_word).count();
    let last = *spaces.last()?;
    let is_host = (last..address.end).take_while(|at| text.char(*at) != '/').any(|at| ".:".contains(text.char(at)));
    (words > 1 && is_host).then_some(last..address.end)
}

/// Returns the scheme that ends at `colon`; also the `hxxp` of mail filters.
fn scheme_before(text: &Text, colon: usize) -> Option<&'static str> {
    let schemes = [("https", "https"), ("http", "http"), ("hxxps", "https"), ("hxxp", "http")];
    let is_before = |word: &str| colon.checked_sub(word.len()).is_some_and(|start| text.has(start, word));
    schemes.into_iter().find(|(word, _)| is_before(word)).map(|(_, scheme)| scheme)
}

/// Characters of an address, without those that more often surround an address.
fn is_address_character(c: char) -> bool {
    c.is_alphanumeric() || "-._~:/[]@%+".contains(c)
}

/// Reads an address without a scheme, which is https except on this machine.
fn without_scheme(text: &Text, address: Range<usize>) -> Result<(BaseUrl, bool), InvalidLink> {
    let has_closing = address.clone().any(|at| text.char(at) == ']');
    let is_decoration = |at: &usize| "/.-_:~@]+".contains(text.char(*at)) || (text.char(*at) == '[' && !has_closing);
    let start = address.start + address.clone().take_while(is_decoration).count();
    let authority = start..address.end - (start..address.end).skip_while(|at| text.char(*at) != '/').count();
    // `Link:host/d/…`: a colon before anything but a port ends the text before the address.
    let is_port =
        |colon: usize| (colon + 1..authority.end).all(|at| text.char(at).is_ascii_digit()) && colon + 1 < authority.end;
    let is_literal = text.char(start) == '[';
    let colon = authority.clone().rev().find(|at| text.char(*at) == ':' && !is_port(*at) && !is_literal);
    let start = colon.map_or(start, |colon| colon + 1);
    if start >= authority.end || (start..authority.end).any(|at| text.char(at) == '%') {
        return Err(InvalidLink::NoServer);
    }
    let secure = base_url("https", text, start..address.end)?;
    Ok((if secure.is_loopback() { base_url("http", text, start..address.end)? } else { secure }, false))
}

fn base_url(scheme: &str, text: &Text, address: Range<usize>) -> Result<BaseUrl, InvalidLink> {
    if address.is_empty() {
        return Err(InvalidLink::NoServer);
    }
    let address: String = address.map(|at| text.char(at)).collect();
    let url = Url::parse(&format!("{scheme}://{address}"))
        .map_err(|error| InvalidLink::BaseUrl(InvalidBaseUrl::NotAUrl(error)))?;
    // URLs allow more characters in a host than the names of servers have.
    let is_host = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    if !url.host_str().is_some_and(is_host) {
        return Err(InvalidLink::NoServer);
    }
    BaseUrl::new(url).map_err(InvalidLink::BaseUrl)
}
