//! Decides which link a pasted text means.

use zeroize::Zeroizing;

use super::clean::{Gap, Text};
use super::scan::{Mention, mentions};
use super::{InvalidLink, Link, decode, key as pasted_key};
use crate::domain::crypto::key::LinkKey;
use crate::domain::id::TransferId;

/// Returns the link of a text; fails if the text means none or several.
pub(super) fn link(text: &str) -> Result<Link, InvalidLink> {
    let (mut found, mut failure) = (Vec::new(), None);
    let readings = decode::readings(text);
    let texts: Vec<_> = readings.iter().map(|reading| Text::new(reading)).collect();
    if texts[0].len() == 0 {
        return Err(InvalidLink::Empty);
    }
    for (index, text) in texts.iter().enumerate() {
        for mention in mentions(text) {
            match mention {
                // A canonical link means itself, whatever its path could be decoded to.
                Ok(mention) => {
                    // A canonical link means itself, whatever its path could be decoded to.
                    if index == 0
                        && let Some(link) = canonical(&mention, &readings[0])
                    {
                        return Ok(link);
                    }
                    found.push(mention);
                }
                Err(error) => failure = Some(more_telling(failure, error)),
            }
        }
    }
    let Some(mention) = only(found)? else { return Err(failure.unwrap_or(InvalidLink::Path)) };
    let key = match mention.key? {
        Some(key) => Some(key),
        // The text may contain the key elsewhere.
        None => texts.iter().find_map(|text| separate_key(text).transpose()).transpose()?,
    };
    Ok(Link { base_url: mention.base_url, transfer_id: mention.id, key })
}

fn canonical(mention: &Mention, text: &str) -> Option<Link> {
    let key = mention.key.clone().ok()?;
    let link = Link { base_url: mention.base_url.clone(), transfer_id: mention.id, key };
    (*link.to_text() == text).then_some(link)
}

/// Returns the error that tells more about the damage, the earlier one of equals.
fn more_telling(first: Option<InvalidLink>, second: InvalidLink) -> InvalidLink {
    let rank = |error: &InvalidLink| match error {
        InvalidLink::Path => 0,
        InvalidLink::IdCharacter { position } => *position,
        InvalidLink::IdTooShort { missing } => TransferId::DIGITS.saturating_sub(*missing),
        InvalidLink::NoServer => TransferId::DIGITS + 1,
        _ => TransferId::DIGITS + 2,
    };
    match first {
        Some(first) if rank(&first) >= rank(&second) => first,
        _ => second,
    }
}

/// Returns the only link of all mentions, with the most of it that any mention has.
fn only(mut mentions: Vec<Mention>) -> Result<Option<Mention>, InvalidLink> {
    let host = |mention: &Mention| mention.base_url.join("/").host_str().map(ToOwned::to_owned);
    let Some(first) = mentions.iter().find(|mention| mention.has_scheme).or(mentions.first()) else { return Ok(None) };
    let (id, server, base_url) = (first.id, host(first), first.base_url.clone());
    let origin = base_url.join("/").origin();
    for mention in &mentions {
        let is_same_server =
            if mention.has_scheme { mention.base_url.join("/").origin() == origin } else { host(mention) == server };
        if mention.id != id || !is_same_server {
            return Err(InvalidLink::SeveralLinks);
        }
    }
    let keys = || mentions.iter().filter_map(|mention| mention.key.as_ref().ok().and_then(Option::as_ref));
    if let Some(first) = keys().next() {
        if keys().any(|key| *key.to_text() != *first.to_text()) {
            return Err(InvalidLink::SeveralLinks);
        }
        let key = Ok(Some(first.clone()));
        return Ok(Some(Mention { base_url, has_scheme: true, id, key }));
    }
    let damaged = mentions.iter().position(|mention| mention.key.is_err()).unwrap_or(0);
    let key = mentions.swap_remove(damaged).key;
    Ok(Some(Mention { base_url, has_scheme: true, id, key }))
}

/// Returns the only key with a version prefix in a text.
fn separate_key(text: &Text) -> Result<Option<LinkKey>, InvalidLink> {
    let mut keys = (0..text.len())
        .filter(|at| pasted_key::prefix(text, *at).is_some() && is_start(text, *at))
        .filter_map(|at| pasted_key::read(text, at).ok());
    let Some(first) = keys.next() else { return Ok(None) };
    if keys.any(|key| *key.to_text() != *first.to_text()) {
        return Err(InvalidLink::SeveralLinks);
    }
    Ok(Some(first))
}

/// Returns whether no key character is directly before `at`, apart from underscores for emphasis.
fn is_start(text: &Text, at: usize) -> bool {
    at == 0 || text.gap(at) != Gap::None || !text.char(at - 1).is_ascii_alphanumeric()
}

/// Returns the key of a text.
pub(super) fn key(text: &str) -> Result<LinkKey, InvalidLink> {
    let readings = decode::readings(text);
    let texts: Vec<_> = readings.iter().map(|reading| Text::new(reading)).collect();
    if texts[0].len() == 0 {
        return Err(InvalidLink::Empty);
    }
    let mut failure = None;
    for text in &texts {
        if let Some(key) = separate_key(text)? {
            return Ok(key);
        }
        let marks = (0..text.len()).filter(|at| text.char(*at) == '#').map(|at| at + 1);
        let first = (0..text.len()).find(|at| pasted_key::is_key_character(text.char(*at)));
        for start in marks.chain(first) {
            match pasted_key::read(text, start) {
                Ok(key) => return Ok(key),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
    }
    Err(failure.unwrap_or(InvalidLink::KeyTooShort { missing: pasted_key::CHARACTERS }))
}

/// Returns the transfer id that is all of a text, apart from decoration.
pub(super) fn id(text: &str) -> Option<TransferId> {
    let text = Text::new(text);
    let start = (0..text.len()).find(|at| text.char(*at).is_alphanumeric())?;
    let end = (start..text.len()).take_while(|at| text.char(*at).is_ascii_hexdigit()).count() + start;
    if (end..text.len()).any(|at| text.char(at).is_alphanumeric() || "#/".contains(text.char(at))) {
        return None;
    }
    let digits = Zeroizing::new((start..end).map(|at| text.char(at).to_ascii_lowercase()).collect::<String>());
    digits.parse().ok()
}
