//! Parses the address of a server as people type it.

use crate::cli::failure::Failure;
use crate::domain::base_url::{BaseUrl, InvalidBaseUrl};
use crate::domain::link::Link;

/// Parses a URL, or a host without a scheme: https, but http on this machine. `source` names the text in errors.
///
/// # Errors
/// Fails for other texts. The error does not contain the text, which may be a misplaced link or token.
pub(crate) fn parse_host_or_url(text: &str, source: &str) -> Result<BaseUrl, Failure> {
    let text = trimmed(text);
    if text.parse::<BaseUrl>().is_err()
        && let Some(base_url) = host(text)
    {
        return Ok(base_url);
    }
    parse_url(text, source)
}

/// Parses a URL of a setting, which always names its scheme. `source` names the text in errors.
///
/// # Errors
/// Fails for other texts, like [`parse_host_or_url`]; the hint names the URL of a host without a scheme.
pub(crate) fn parse_url(text: &str, source: &str) -> Result<BaseUrl, Failure> {
    let text = trimmed(text);
    let failure = |cause: &str| Failure::usage(format!("{source} is not a server URL{cause}"));
    if text.contains("sgs_") {
        return Err(failure(", but a sender token").hint("pass the token with --token-file, or --token -"));
    }
    if let Ok(link) = text.parse::<Link>() {
        let hint = format!("the URL of the link's server is {}", link.base_url);
        return Err(failure(", but a link").hint(hint));
    }
    text.parse().map_err(|error| {
        let hint = host(text).map(|base_url| format!("did you mean {base_url}?"));
        failure(&format!(": {error}"))
            .hint(hint.unwrap_or_else(|| "a server URL looks like https://send.example".into()))
    })
}

fn trimmed(text: &str) -> &str {
    text.trim().trim_matches(['<', '>', '"', '\''])
}

/// Returns the URL of a host without a scheme.
fn host(text: &str) -> Option<BaseUrl> {
    let may_be_secret = text.contains("sgs_") || text.contains(['#', '?']) || text.parse::<Link>().is_ok();
    if may_be_secret || !is_host(text) { None } else { with_scheme(text).ok() }
}

/// Returns whether `text` starts with a host: a name with a dot, a port, an address, or `localhost`.
fn is_host(text: &str) -> bool {
    let authority = text.trim_start_matches('/').split('/').next().unwrap_or_default();
    let has_port =
        authority.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    let is_name = authority.contains('.') || authority.eq_ignore_ascii_case("localhost") || authority.ends_with(']');
    !text.contains("://") && (has_port || is_name)
}

fn with_scheme(text: &str) -> Result<BaseUrl, InvalidBaseUrl> {
    let text = text.trim_start_matches('/');
    let base_url: BaseUrl = format!("https://{text}").parse()?;
    if base_url.is_loopback() { format!("http://{text}").parse() } else { Ok(base_url) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_a_scheme_are_https_except_on_this_machine() {
        for (text, url) in [
            ("https://send.example", "https://send.example"),
            ("http://send.example/", "http://send.example"),
            (" <https://send.example>\n", "https://send.example"),
            ("send.example", "https://send.example"),
            ("Send.Example:8443/base/", "https://send.example:8443/base"),
            ("//send.example", "https://send.example"),
            ("nas:8080", "https://nas:8080"),
            ("192.0.2.1", "https://192.0.2.1"),
            ("[2001:db8::1]:8080", "https://[2001:db8::1]:8080"),
            ("localhost", "http://localhost"),
            ("localhost:8080", "http://localhost:8080"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(parse_host_or_url(text, "this").unwrap().to_string(), url, "{text}");
        }
    }

    #[test]
    fn settings_name_the_scheme() {
        for (text, url) in
            [("send.example:8443", "https://send.example:8443"), ("localhost:8080", "http://localhost:8080")]
        {
            let hint = parse_url(text, "--server").err().unwrap().hint.unwrap();
            assert_eq!(hint, format!("did you mean {url}?"));
            assert_eq!(parse_url(url, "--server").unwrap().to_string(), url);
        }
    }

    #[test]
    fn other_texts_are_not_repeated() {
        let link = "https://send.example/d/0123456789abcdef0123456789abcdef";
        for (text, words) in [
            ("", "not a valid URL"),
            ("work", "not a valid URL"),
            ("ftp://send.example", "scheme must be https or http"),
            ("https://me:secret@send.example", "user name or password"),
            ("me:secret@send.example", "scheme must be"),
            ("sgs_0123456789abcdef_secret", "sender token"),
            (&format!("{link}#v1.B4Xq3YdbnHcQ94xTBjdxXERFYAjScTcNgdALwg4MY_E"), "a link"),
            ("https://send.example/#v1.secret", "query or fragment"),
            ("send.example/#v1.secret", "not a valid URL"),
            ("send.example:8080?secret", "scheme must be"),
        ] {
            let failure = parse_host_or_url(text, "this").err().unwrap();
            assert!(failure.message.contains(words), "{text}: {}", failure.message);
            let message = format!("{failure:?}");
            assert!(!message.contains("secret") && !message.contains("B4Xq"), "{message}");
        }
    }
}
