//! Parsing of `X-Forwarded-For`, `X-Real-IP` and `Forwarded` headers.

use std::net::{IpAddr, SocketAddr};

/// Syntax of a header with client addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderForm {
    /// Comma-separated addresses, as in `X-Forwarded-For`, or a single address, as in `X-Real-IP`.
    List,
    /// `Forwarded` (RFC 7239): name-value pairs, with the address in `for`.
    Forwarded,
}

/// Parses the addresses in the lines of a header. Proxies append addresses, so the nearest hop is last.
///
/// `None` stands for an entry without a valid address.
pub fn addresses<'a>(form: HeaderForm, lines: impl Iterator<Item = &'a str>) -> Vec<Option<IpAddr>> {
    match form {
        HeaderForm::List => lines.flat_map(|line| line.split(',')).map(address).collect(),
        HeaderForm::Forwarded => lines.flat_map(|line| split_unquoted(line, b',')).map(forwarded_for).collect(),
    }
}

/// Parses the `for` address of one `Forwarded` element.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = split_unquoted(element, b';').into_iter().filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("for")).map(|(_, value)| value);
    let value = values.next()?;
    // More than one `for` is ambiguous.
    if values.next().is_some() {
        return None;
    }
    match value.strip_prefix('"') {
        Some(quoted) => address(quoted.strip_suffix('"')?),
        None => address(value),
    }
}

/// Parses an address, with or without a port, with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = |text: &str| text.parse::<SocketAddr>().map(|address| address.ip()).ok();
    let in_brackets = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = text.parse().ok().or_else(|| with_port(text)).or_else(|| in_brackets(text));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Splits `text` at separators outside quoted strings (RFC 9110, section 5.6.4).
///
/// Scans from the end, which the nearest proxy has written correctly. A malformed start written by an untrusted client,
/// such as an unclosed quote, therefore cannot hide the proxy's entry.
fn split_unquoted(text: &str, separator: u8) -> Vec<&str> {
    let bytes = text.as_bytes();
    let (mut pieces, mut end, mut quoted) = (Vec::new(), bytes.len(), false);
    for at in (0..bytes.len()).rev() {
        match bytes[at] {
            // Counts backslashes only before quotes, so that the total work stays linear in the header's length.
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

/// Counts the backslashes directly before index `at`.
fn backslashes_before(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(form: HeaderForm, lines: &[&str]) -> Vec<String> {
        let parsed = addresses(form, lines.iter().copied()).into_iter();
        parsed.map(|address| address.map_or_else(|| "-".to_owned(), |address| address.to_string())).collect()
    }

    #[test]
    fn lists_are_parsed_in_order() {
        let list = |lines: &[&str]| parse(HeaderForm::List, lines);
        assert_eq!(list(&["192.0.2.1, 198.51.100.7", "203.0.113.9"]), ["192.0.2.1", "198.51.100.7", "203.0.113.9"]);
        assert_eq!(
            list(&["192.0.2.1:4711", "[2001:db8::1]:443", "[2001:db8::2]"]),
            ["192.0.2.1", "2001:db8::1", "2001:db8::2"]
        );
        assert_eq!(list(&["::ffff:192.0.2.1"]), ["192.0.2.1"]);
        assert_eq!(list(&["unknown,,example.org, 1.2.3, 01.2.3.4"]), ["-", "-", "-", "-", "-"]);
    }

    #[test]
    fn unclosed_quotes_do_not_hide_the_entry_of_a_proxy() {
        for prefix in [r#"for=198.51.100.1;x=""#, r#"for=198.51.100.1;x="\"#, "\"", "for=\"", "\\", r#"x="\""#] {
            let line = format!(r#"{prefix}, for="[2001:db8::1]:4711""#);
            let addresses = parse(HeaderForm::Forwarded, &[&line]);
            assert_eq!(addresses.last().unwrap(), "2001:db8::1", "{line}");
        }
        assert_eq!(parse(HeaderForm::List, &["\u{fffd}, 192.0.2.1"]), ["-", "192.0.2.1"]);
    }

    #[test]
    fn forwarded_is_parsed_according_to_rfc_7239() {
        let forwarded = |lines: &[&str]| parse(HeaderForm::Forwarded, lines);
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
