//! What proxies write about the addresses that they pass on.

use std::net::{IpAddr, SocketAddr};

/// How a header lists addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderForm {
    /// Addresses with commas between them, as in `X-Forwarded-For`, or one alone, as in `X-Real-IP`.
    List,
    /// `Forwarded` (RFC 7239): pairs, of which `for` names the address.
    Forwarded,
}

/// The addresses in the lines of a header, in the order in which proxies have added them: the nearest last. `None` is
/// an entry that names no address.
pub fn addresses<'a>(form: HeaderForm, lines: impl Iterator<Item = &'a str>) -> Vec<Option<IpAddr>> {
    match form {
        HeaderForm::List => lines.flat_map(|line| line.split(',')).map(address).collect(),
        HeaderForm::Forwarded => lines.flat_map(|line| outside_quotes(line, b',')).map(forwarded_for).collect(),
    }
}

/// The address that an element of `Forwarded` was passed on for.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = outside_quotes(element, b';').into_iter().filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("for")).map(|(_, value)| value);
    let value = named.next()?;
    // Two of them are no answer.
    if named.next().is_some() {
        return None;
    }
    match value.strip_prefix('"') {
        Some(quoted) => address(quoted.strip_suffix('"')?),
        None => address(value),
    }
}

/// Reads an address, with or without a port, in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = |text: &str| text.parse::<SocketAddr>().map(|address| address.ip()).ok();
    let in_brackets = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = text.parse().ok().or_else(|| with_port(text)).or_else(|| in_brackets(text));
    address.map(|address: IpAddr| address.to_canonical())
}

/// The pieces of `text` between separators that stand in no quoted string (RFC 9110, section 5.6.4).
///
/// Read from the end, which the nearest proxy has written well: whatever strangers wrote before it, such as a quote that
/// they leave open, cannot swallow that.
fn outside_quotes(text: &str, separator: u8) -> Vec<&str> {
    let bytes = text.as_bytes();
    let (mut pieces, mut end, mut quoted) = (Vec::new(), bytes.len(), false);
    for at in (0..bytes.len()).rev() {
        match bytes[at] {
            // Backslashes are counted at quotes only, so each of them once, however many a stranger sends.
            b'"' if !quoted || backslashes_before(bytes, at).is_multiple_of(2) => quoted = !quoted,
            byte if byte == separator && !quoted => {
                pieces.push(&text[at + 1..end]);
                end = at;
            }
            _ => {}
        }
    }
    pieces.push(&text[..end]);
    pieces.reverse();
    pieces
}

/// How many backslashes stand right before `at`.
fn backslashes_before(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: HeaderForm, lines: &[&str]) -> Vec<String> {
        let found = addresses(form, lines.iter().copied()).into_iter();
        found.map(|address| address.map_or_else(|| "-".to_owned(), |address| address.to_string())).collect()
    }

    #[test]
    fn lists_are_read_in_order() {
        let list = |lines: &[&str]| read(HeaderForm::List, lines);
        assert_eq!(list(&["192.0.2.1, 198.51.100.7", "203.0.113.9"]), ["192.0.2.1", "198.51.100.7", "203.0.113.9"]);
        assert_eq!(
            list(&["192.0.2.1:4711", "[2001:db8::1]:443", "[2001:db8::2]"]),
            ["192.0.2.1", "2001:db8::1", "2001:db8::2"]
        );
        assert_eq!(list(&["::ffff:192.0.2.1"]), ["192.0.2.1"]);
        assert_eq!(list(&["unknown,,example.org, 1.2.3, 01.2.3.4"]), ["-", "-", "-", "-", "-"]);
    }

    #[test]
    fn what_strangers_leave_open_swallows_no_proxys_word() {
        for stranger in [r#"for=198.51.100.1;x=""#, r#"for=198.51.100.1;x="\"#, "\"", "for=\"", "\\", r#"x="\""#] {
            let line = format!(r#"{stranger}, for="[2001:db8::1]:4711""#);
            let named = read(HeaderForm::Forwarded, &[&line]);
            assert_eq!(named.last().unwrap(), "2001:db8::1", "{line}");
        }
        assert_eq!(read(HeaderForm::List, &["\u{fffd}, 192.0.2.1"]), ["-", "192.0.2.1"]);
    }

    #[test]
    fn forwarded_is_read_as_its_standard_says() {
        let forwarded = |lines: &[&str]| read(HeaderForm::Forwarded, lines);
        assert_eq!(forwarded(&["for=192.0.2.60;proto=http;by=203.0.113.43"]), ["192.0.2.60"]);
        assert_eq!(
            forwarded(&[r#"For="[2001:db8:cafe::17]:4711", for=192.0.2.1"#]),
            ["2001:db8:cafe::17", "192.0.2.1"]
        );
        assert_eq!(forwarded(&["for=unknown, for=_hidden, by=192.0.2.1"]), ["-", "-", "-"]);
        assert_eq!(forwarded(&[r#"for="192.0.2.1, for=192.0.2.2"#]), ["-", "192.0.2.2"]);
        assert_eq!(forwarded(&[r#"for="a\",b", for=192.0.2.2"#]), ["-", "192.0.2.2"]);
        assert_eq!(forwarded(&["for=192.0.2.1;for=192.0.2.2"]), ["-"]);
    }
}
