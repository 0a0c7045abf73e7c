//! Parsers of option values: durations, sizes, numbers and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;

use crate::domain::limits::{ByteRate, MIN_BYTE_RATE};

/// Parses a duration such as `90s`, `1h 30m` or `7d`.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than 0 s".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("expected a duration such as 90s, 12h or 7d".to_owned()),
    }
}

/// Parses a size such as `2GiB`.
pub(crate) fn positive_size(text: &str) -> Result<ByteSize, String> {
    match text.parse() {
        Ok(ByteSize(0)) => Err("must be larger than 0 bytes".to_owned()),
        Ok(size) => Ok(size),
        Err(_) => Err("expected a size such as 500MiB or 2GiB".to_owned()),
    }
}

/// Parses a rate in bytes per second, such as `2MiB`.
///
/// Refuses a unit of one letter, which is a power of 1,024 to some programs and a power of 1,000 to others.
pub(crate) fn byte_rate(text: &str) -> Result<ByteRate, String> {
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    if number.ends_with(|digit: char| digit.is_ascii_digit() || digit == ' ') && "kKmMgGtTpP".contains(unit) {
        let (number, unit) = (number.trim_end(), unit.to_uppercase());
        return Err(format!("{unit} is ambiguous: write {number}{unit}iB or {number}{unit}B"));
    }
    let ByteSize(bytes) = text.parse().map_err(|_| "expected bytes per second, such as 500KiB or 2MiB".to_owned())?;
    ByteRate::new(bytes).ok_or_else(|| format!("must be at least {} per second", ByteSize(MIN_BYTE_RATE)))
}

/// Parses a whole number that is at least 1.
pub(crate) fn positive_number<N: FromStr + Default + PartialEq>(text: &str) -> Result<N, String> {
    match text.parse() {
        Ok(number) if number == N::default() => Err("must be 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err("the number is too large".to_owned())
        }
        Err(_) => Err("expected a whole number such as 3".to_owned()),
    }
}

/// Parses a boolean in the words that people write, in upper or lower case.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("expected 1, true, yes or on; or 0, false, no or off".to_owned()),
    }
}

/// Parses an address to listen on: `IP:PORT`, `localhost:PORT`, or `:PORT` for all addresses.
///
/// `:PORT` is the IPv6 address `::`, at which systems also accept IPv4.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let named = match host {
        "" => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => None,
    };
    let digits = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let named = named.zip(digits.and_then(|port| port.parse().ok())).map(SocketAddr::from);
    named.or_else(|| text.parse().ok()).ok_or_else(|| {
        "expected an IP address of this machine and a port, such as 127.0.0.1:8080, or :8080 for all addresses"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_positive() {
        assert_eq!(positive_duration("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(positive_duration("1h 30m"), Ok(Duration::from_mins(90)));
        for bad in ["", "0s", "7", "-1s", "soon"] {
            assert!(positive_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn number_and_address_errors_do_not_quote_the_standard_library() {
        assert_eq!(positive_number::<u32>("3"), Ok(3));
        assert_eq!(positive_number::<u64>("18446744073709551615"), Ok(u64::MAX));
        for bad in ["", "0", "x", "-1", "1.5", "99999999999999999999"] {
            let message = positive_number::<u32>(bad).unwrap_err();
            assert!(!message.contains("digit") && !message.contains(".."), "{message}");
        }
        assert!(listen_address("127.0.0.1:0").is_ok());
    }

    #[test]
    fn listen_addresses_name_an_interface_or_all_of_them() {
        for (text, address) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("localhost:8080", "127.0.0.1:8080"),
            (":8080", "[::]:8080"),
            ("[::1]:443", "[::1]:443"),
            ("0.0.0.0:80", "0.0.0.0:80"),
        ] {
            assert_eq!(listen_address(text), Ok(address.parse().unwrap()), "{text}");
        }
        for bad in [
            "",
            ":",
            "8080",
            "localhost",
            "localhost:",
            "localhost:http",
            ":+80",
            ":65536",
            "example.org:80",
            "::1:80:",
        ] {
            assert!(listen_address(bad).unwrap_err().contains("127.0.0.1:8080"), "{bad}");
        }
    }

    #[test]
    fn booleans_are_words_in_any_case() {
        for (text, value) in [("1", true), ("TRUE", true), ("Yes", true), ("on", true), ("0", false), ("False", false)]
        {
            assert_eq!(boolean(text), Ok(value), "{text}");
        }
        assert_eq!((boolean("no"), boolean("OFF")), (Ok(false), Ok(false)));
        for bad in ["", "2", "y", "enabled", " on"] {
            assert!(boolean(bad).unwrap_err().contains("true, yes or on"), "{bad}");
        }
    }

    #[test]
    fn rates_have_an_unambiguous_unit() {
        for (text, bytes) in [("2MiB", 2 << 20), ("2MB", 2_000_000), ("500000", 500_000), ("4 KiB", 4_096)] {
            assert_eq!(byte_rate(text).map(ByteRate::bytes_per_second), Ok(bytes), "{text}");
        }
        assert_eq!(byte_rate("2M"), Err("M is ambiguous: write 2MiB or 2MB".to_owned()));
        assert_eq!(byte_rate("1.5 k"), Err("K is ambiguous: write 1.5KiB or 1.5KB".to_owned()));
        assert!(byte_rate("4095").unwrap_err().starts_with("must be at least 4"));
        for bad in ["", "M", "-1MiB", "fast", "2MiB/m", "€"] {
            assert!(byte_rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_positive() {
        assert_eq!(positive_size("2GiB"), Ok(ByteSize::gib(2)));
        for bad in ["", "0", "0KiB", "-1", "much"] {
            assert!(positive_size(bad).is_err(), "{bad}");
        }
    }
}
