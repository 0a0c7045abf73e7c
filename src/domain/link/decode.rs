//! Decodes what programs do to a whole text. Handles percent-encoding, entities, quoted-printable and link protection.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::clean::{is_blank, is_line_break};

/// Maximum number of encodings on top of each other, such as `%252523`.
const MAX_DEPTH: usize = 3;
/// Maximum number of readings of a text.
const MAX_READINGS: usize = 24;

/// Returns `text` and its decoded forms, least decoded first.
pub(super) fn readings(text: &str) -> Vec<Zeroizing<String>> {
    let decoders = [percent, entities, json, quoted_printable, proofpoint_2, proofpoint_3, unwrapped];
    let mut readings = vec![Zeroizing::new(text.to_owned())];
    let mut begin = 0;
    for _ in 0..MAX_DEPTH {
        let end = readings.len();
        for at in begin..end {
            for decode in decoders {
                let Some(decoded) = decode(&readings[at]).map(Zeroizing::new) else { continue };
                if readings.len() < MAX_READINGS && !readings.contains(&decoded) {
                    readings.push(decoded);
                }
            }
        }
        begin = end;
    }
    readings
}

fn percent(text: &str) -> Option<String> {
    escaped_bytes(text, '%')
}

fn quoted_printable(text: &str) -> Option<String> {
    escaped_bytes(text, '=')
}

/// Decodes `mark` followed by two hex digits; `None` if the text has none.
fn escaped_bytes(text: &str, mark: char) -> Option<String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut parts = text.split(mark);
    bytes.extend_from_slice(parts.next()?.as_bytes());
    let mut is_changed = false;
    for part in parts {
        if let Some(hex) = part.get(..2).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            bytes.extend_from_slice(&part.as_bytes()[2..]);
            is_changed = true;
        } else {
            bytes.push(u8::try_from(mark).ok()?);
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    is_changed.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Names of the entities that can occur in a link or beside it.
const ENTITIES: &[(&str, &str)] = &[
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("num", "#"),
    ("sol", "/"),
    ("colon", ":"),
    ("period", "."),
    ("lowbar", "_"),
    ("dash", "-"),
    ("hyphen", "-"),
    ("quest", "?"),
    ("nbsp", " "),
    ("shy", ""),
    ("zwnj", ""),
    ("zwj", ""),
    ("ZeroWidthSpace", ""),
    ("NewLine", "\n"),
    ("Tab", "\t"),
];

/// Decodes character references of HTML, and removes inline elements.
fn entities(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<']) {
        let (before, from) = rest.split_at(at);
        decoded.push_str(before);
        if let Some((meaning, behind)) = decode_entity(from).or_else(|| remove_tag(from)) {
            decoded.push_str(&meaning);
            rest = behind;
        } else {
            decoded.push_str(&from[..1]);
            rest = &from[1..];
        }
    }
    decoded.push_str(rest);
    (decoded != text).then_some(decoded)
}

/// Decodes the character reference at the start of `text`; returns its meaning and the text behind it.
fn decode_entity(text: &str) -> Option<(String, &str)> {
    let (name, behind) = text.strip_prefix('&')?.split_once(';')?;
    let character = match name.strip_prefix('#').map(|number| (number, number.strip_prefix(['x', 'X']))) {
        Some((_, Some(hex))) => char::from_u32(u32::from_str_radix(hex, 16).ok()?)?.to_string(),
        Some((number, None)) => char::from_u32(number.parse().ok()?)?.to_string(),
        None => ENTITIES.iter().find(|(entity, _)| *entity == name)?.1.to_owned(),
    };
    Some((character, behind))
}

/// Elements that may be within a link without meaning anything.
const INLINE_ELEMENTS: &[&str] =
    &["wbr", "br", "span", "b", "i", "u", "em", "strong", "code", "font", "mark", "small", "tt"];

/// Removes the tag of an inline element at the start of `text`.
fn remove_tag(text: &str) -> Option<(String, &str)> {
    let (tag, behind) = text.strip_prefix('<')?.split_once('>')?;
    let name = tag.trim_start_matches('/').split([' ', '\t', '\n', '/']).next()?;
    INLINE_ELEMENTS.iter().any(|other| name.eq_ignore_ascii_case(other)).then(|| (String::new(), behind))
}

/// Decodes the `\u0023` of JSON strings; pairs of surrogates never occur in a link.
fn json(text: &str) -> Option<String> {
    let mut parts = text.split("\\u");
    let mut decoded = String::with_capacity(text.len());
    decoded.push_str(parts.next()?);
    for part in parts {
        let digits = part.get(..4).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        decoded.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?).unwrap_or(char::REPLACEMENT_CHARACTER));
        decoded.push_str(&part[4..]);
    }
    (decoded != text).then_some(decoded)
}

/// Decodes links of Proofpoint's URL Defense 2, which writes `-3A` for `%3A` and `_` for `/`.
fn proofpoint_2(text: &str) -> Option<String> {
    let (_, link) = text.split_once("/v2/url?u=")?;
    let link = link.split(['&', '"', '>', ' ', '\n', '\r']).next()?;
    percent(&Zeroizing::new(link.replace('-', "%").replace('_', "/")))
}

/// Decodes links of Proofpoint's URL Defense 3. It writes `*` for the characters encoded behind the link.
fn proofpoint_3(text: &str) -> Option<String> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let (_, link) = text.split_once("/v3/__")?;
    let (link, replaced) = link.split_once("__;")?;
    let (replaced, _) = replaced.split_once("!!")?;
    let replaced = Zeroizing::new(BASE64.decode(replaced).ok()?);
    let mut replaced = std::str::from_utf8(&replaced).ok()?.chars();
    Some(link.chars().map(|c| if c == '*' { replaced.next().unwrap_or(c) } else { c }).collect())
}

/// Joins the lines of a text, for encodings with a line break between their characters.
fn unwrapped(text: &str) -> Option<String> {
    let is_margin = |c| matches!(c, '>' | '|') || is_blank(c);
    let part =
        |line: &str| line.trim_start_matches(is_margin).trim_end_matches(is_blank).trim_end_matches('=').to_owned();
    text.trim().contains(is_line_break).then(|| text.split(is_line_break).map(part).collect())
}
