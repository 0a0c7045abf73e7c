//! Reads a key as pasted: broken over lines, with typographic dashes, and with text behind it.

use std::ops::Range;

use zeroize::Zeroizing;

use super::InvalidLink;
use super::clean::{Form, Gap, Text};
use crate::domain::crypto::key::{KeyVersion, LinkKey};

/// Number of characters behind the version prefix of a key.
pub(super) const CHARACTERS: usize = 43;

/// Reads the key that starts at `start`: after the `#` of a link, or at its version prefix.
pub(super) fn read(text: &Text, start: usize) -> Result<LinkKey, InvalidLink> {
    let (prefix, start) = match prefix(text, start) {
        Some(prefix) => (prefix, start + prefix.len()),
        None if has_other_version(text, start) => return Err(InvalidLink::KeyVersion),
        None => (KeyVersion::Own.prefix(), start),
    };
    let run = run(text, start, CHARACTERS + 8);
    let pieces = pieces(text, run.clone());
    // The long dashes are read as two hyphens each if that makes the key complete.
    let long_dashes = |range: Range<usize>| range.filter(|at| text.form(*at) == Form::LongDash).count();
    let mut end = run.start;
    for (index, piece) in pieces.iter().enumerate() {
        end = piece.end;
        let length = end - run.start;
        if length >= CHARACTERS {
            break;
        }
        let dashes = long_dashes(run.start..end);
        if dashes > 0 && length + dashes == CHARACTERS && !are_words(text, &pieces[1..=index]) {
            return parse(text, prefix, run.start..end, true);
        }
    }
    let used = pieces.iter().position(|piece| piece.end == end).unwrap_or(0);
    if end - run.start > CHARACTERS {
        // No key ends in a hyphen or an underscore, so these belong to the text, as do characters that were mapped.
        let cut = run.start + CHARACTERS;
        let is_text = text.form(cut) != Form::Exact || (cut..end).all(|at| matches!(text.char(at), '-' | '_'));
        if !is_text && used == 0 {
            return Err(InvalidLink::KeyTooLong { extra: longest(text, run.start) - CHARACTERS });
        }
        end = if is_text { cut } else { run.start };
    }
    if end - run.start == CHARACTERS && !are_words(text, pieces.get(1..=used).unwrap_or_default()) {
        return parse(text, prefix, run.start..end, false);
    }
    Err(incomplete(text, &pieces, run))
}

/// Returns the complete version prefix at `at`, if there is one.
pub(super) fn prefix(text: &Text, at: usize) -> Option<&'static str> {
    KeyVersion::ALL.into_iter().map(KeyVersion::prefix).find(|prefix| text.has(at, prefix))
}

/// Returns whether `v`, other characters and a dot precede a key of 43 characters.
fn has_other_version(text: &Text, start: usize) -> bool {
    let is_part = |at: &usize| text.char(*at).is_ascii_alphanumeric() && text.gap(*at) == Gap::None;
    let dot = start + 1 + (start + 1..start + 8).take_while(is_part).count();
    text.has(start, "v") && text.char(dot) == '.' && is_key_character(text.char(dot + 1))
}

/// Returns whether base64url has this character.
pub(super) fn is_key_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// Returns the key characters from `start`, ignoring white space. The number is at most `limit` and a whole piece.
fn run(text: &Text, start: usize, limit: usize) -> Range<usize> {
    let is_run = |at: &usize| {
        is_key_character(text.char(*at)) && (at - start < limit || text.gap(*at) == Gap::None && at - start < 2 * limit)
    };
    start..start + (start..text.len()).take_while(is_run).count()
}

/// Returns the number of key characters from `start` up to the next white space.
fn longest(text: &Text, start: usize) -> usize {
    (start..text.len())
        .take_while(|at| is_key_character(text.char(*at)) && (*at == start || text.gap(*at) == Gap::None))
        .count()
}

/// Splits a run at its white space. The first piece may be empty.
fn pieces(text: &Text, run: Range<usize>) -> Vec<Range<usize>> {
    let mut pieces = Vec::from([Range { start: run.start, end: run.start }]);
    for at in run {
        match pieces.last_mut() {
            Some(piece) if piece.start == piece.end || text.gap(at) == Gap::None => piece.end = at + 1,
            _ => pieces.push(at..at + 1),
        }
    }
    pieces
}

/// Returns whether the pieces behind the first one are words of a sentence instead of parts of a key. At least two
/// words are required.
fn are_words(text: &Text, pieces: &[Range<usize>]) -> bool {
    pieces.len() > 1 && pieces.iter().all(|piece| is_word(text, piece))
}

fn is_word(text: &Text, piece: &Range<usize>) -> bool {
    piece.len() > 1 && piece.clone().skip(1).all(|at| text.char(at).is_ascii_lowercase())
}

fn parse(text: &Text, prefix: &str, secret: Range<usize>, are_dashes_double: bool) -> Result<LinkKey, InvalidLink> {
    let mut key = Zeroizing::new(String::with_capacity(2 * CHARACTERS));
    key.push_str(prefix);
    for at in secret {
        key.push(text.char(at));
        if are_dashes_double && text.form(at) == Form::LongDash {
            key.push('-');
        }
    }
    key.parse().map_err(|_| InvalidLink::KeyDamaged)
}

/// Returns what a key without enough characters lacks.
fn incomplete(text: &Text, pieces: &[Range<usize>], run: Range<usize>) -> InvalidLink {
    // A line belongs to the key if it has only one piece, which is no word.
    let is_line = |piece: &&Range<usize>| {
        let is_alone = text.gap(piece.start) == Gap::Line && text.gap(piece.end) != Gap::Space;
        is_alone && !is_word(text, piece)
    };
    let first = pieces.first().map_or(0, Range::len);
    let lines: usize = pieces.iter().skip(1).take_while(is_line).map(Range::len).sum();
    // A cut inside the version prefix leaves nothing of the key itself.
    let first = if first < 4 && text.has(run.start, "v") && prefix(text, run.start).is_none() { 0 } else { first };
    let length = if first + lines < CHARACTERS { first + lines } else { first.min(CHARACTERS - 1) };
    let stop = run.end;
    let rest = longest(text, stop + 1);
    let is_inside = stop < text.len() && text.gap(stop) == Gap::None && text.gap(stop + 1) == Gap::None;
    if pieces.len() == 1 && is_inside && (0..3).contains(&(CHARACTERS.abs_diff(first + 1 + rest))) {
        return InvalidLink::KeyCharacter { position: first + 1 };
    }
    InvalidLink::KeyTooShort { missing: CHARACTERS - length }
}
