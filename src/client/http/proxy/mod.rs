//! Proxies: which requests go through which proxy, by the variables that curl reads.

mod no_proxy;

use std::fmt;
use std::sync::Arc;

use url::Url;
use zeroize::Zeroizing;

use self::no_proxy::NoProxy;
use crate::domain::base_url::BaseUrl;

/// Default port of SOCKS proxies.
const SOCKS_PORT: u16 = 1080;

/// Proxy variables of the environment. Has no `Debug` output, since proxy URLs can contain passwords.
#[derive(Clone, Default)]
pub struct ProxySettings {
    http: Option<Variable>,
    https: Option<Variable>,
    no_proxy: NoProxy,
}

/// Variable with the URL of a proxy.
#[derive(Clone)]
struct Variable {
    name: &'static str,
    value: Zeroizing<String>,
}

/// Path of requests to one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyChoice {
    /// No variable names a proxy for this server.
    Unset,
    /// Requests bypass the proxy, because of this variable, or of `the loopback address`.
    Exempt(&'static str),
    /// Requests go through this proxy.
    Proxy(Proxy),
}

/// Proxy of requests. Its text names host and port, without user name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: Arc<Url>,
    variable: &'static str,
}

/// Variable that contains no valid proxy URL. The error does not contain the value, which may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} does not contain the address of a supported proxy")]
pub struct InvalidProxy {
    /// Name of the variable.
    pub variable: &'static str,
}

impl ProxySettings {
    /// Reads the proxy variables with `variable`, which returns a variable's value. An empty variable counts as unset.
    pub fn new(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&'static str]| {
            let value = |name: &&'static str| Some((*name, variable(name).filter(|value| !value.trim().is_empty())?));
            names.iter().find_map(value)
        };
        let proxy = |names: &[&'static str]| {
            let found = first(names).or_else(|| first(&["all_proxy", "ALL_PROXY"]));
            found.map(|(name, value)| Variable { name, value: value.into() })
        };
        // A CGI server sets HTTP_PROXY to a request's `Proxy` header.
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let http: &[_] = if is_cgi { &["http_proxy"] } else { &["http_proxy", "HTTP_PROXY"] };
        let no_proxy = first(&["no_proxy", "NO_PROXY"]);
        Self {
            http: proxy(http),
            https: proxy(&["https_proxy", "HTTPS_PROXY"]),
            no_proxy: no_proxy.map(|(name, list)| NoProxy::parse(name, &list)).unwrap_or_default(),
        }
    }

    /// Chooses the path of requests to `base_url`.
    pub fn choose(&self, base_url: &BaseUrl) -> Result<ProxyChoice, InvalidProxy> {
        let variable = if base_url.is_encrypted() { &self.https } else { &self.http };
        let exempt = if base_url.is_loopback() {
            Some("the loopback address")
        } else {
            self.no_proxy.matches(&base_url.join("/")).then(|| self.no_proxy.variable())
        };
        match (variable, exempt) {
            (None, None) => Ok(ProxyChoice::Unset),
            (_, Some(reason)) => Ok(ProxyChoice::Exempt(reason)),
            (Some(variable), None) => Proxy::parse(variable).map(ProxyChoice::Proxy),
        }
    }

    /// Returns whether any variable names a proxy.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.http.is_some() || self.https.is_some()
    }
}

impl Proxy {
    fn parse(variable: &Variable) -> Result<Self, InvalidProxy> {
        let invalid = InvalidProxy { variable: variable.name };
        let text = variable.value.trim();
        // Without a scheme, curl assumes http; GNOME sets `socks` for SOCKS 5.
        let text = match text.split_once("://") {
            None => format!("http://{text}"),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("socks") => format!("socks5://{rest}"),
            Some(_) => text.to_owned(),
        };
        let mut url = Url::parse(&text).map_err(|_| invalid.clone())?;
        let is_socks = match url.scheme() {
            "http" | "https" => false,
            "socks4" | "socks4a" | "socks5" | "socks5h" => true,
            _ => return Err(invalid),
        };
        if url.host_str().is_none_or(str::is_empty) {
            return Err(invalid);
        }
        if is_socks && url.port().is_none() {
            url.set_port(Some(SOCKS_PORT)).map_err(|()| invalid)?;
        }
        Ok(Self { url: Arc::new(url), variable: variable.name })
    }

    /// Returns the name of the variable with the proxy's URL.
    #[must_use]
    pub const fn variable(&self) -> &'static str {
        self.variable
    }

    /// Returns the proxy's host.
    pub(crate) fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }

    /// Returns whether the proxy itself sends the requests of plain http, and so can respond to them.
    pub(crate) fn forwards_requests(&self) -> bool {
        matches!(self.url.scheme(), "http" | "https")
    }

    /// Returns the configuration of reqwest.
    pub(crate) fn to_reqwest(&self) -> reqwest::Result<reqwest::Proxy> {
        reqwest::Proxy::all(self.url.as_str())
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host) = (self.url.scheme(), self.url.host_str().unwrap_or_default());
        let port = self.url.port_or_known_default().unwrap_or(SOCKS_PORT);
        write!(f, "{scheme}://{host}:{port} (from {})", self.variable)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(variables: &[(&str, &str)], base_url: &str) -> Result<ProxyChoice, InvalidProxy> {
        let value = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        ProxySettings::new(value).choose(&base_url.parse().unwrap())
    }

    fn named(variables: &[(&str, &str)], base_url: &str) -> String {
        match choose(variables, base_url) {
            Ok(ProxyChoice::Proxy(proxy)) => format!("{proxy:?}"),
            Ok(ProxyChoice::Exempt(reason)) => format!("exempt: {reason}"),
            Ok(ProxyChoice::Unset) => "unset".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_scheme_of_a_server_selects_the_variable() {
        let all = [("http_proxy", "a:1"), ("HTTPS_PROXY", "http://b:2"), ("ALL_PROXY", "socks5h://c")];
        assert_eq!(named(&all, "http://x.example"), "http://a:1 (from http_proxy)");
        assert_eq!(named(&all, "https://x.example"), "http://b:2 (from HTTPS_PROXY)");
        assert_eq!(named(&all[2..], "https://x.example"), "socks5h://c:1080 (from ALL_PROXY)");
        assert_eq!(named(&all[1..2], "http://x.example"), "unset");
        assert_eq!(named(&all, "https://127.0.0.1:8080"), "exempt: the loopback address");
        let lower = [("https_proxy", "http://l:1"), ("HTTPS_PROXY", "http://u:1"), ("all_proxy", "http://n:1")];
        assert_eq!(named(&lower, "https://x.example"), "http://l:1 (from https_proxy)");
        let empty = [("https_proxy", ""), ("HTTPS_PROXY", " "), ("all_proxy", "socks://n")];
        assert_eq!(named(&empty, "https://x.example"), "socks5://n:1080 (from all_proxy)");
        let cgi = [("HTTP_PROXY", "http://attacker:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(named(&cgi, "http://x.example"), "unset");
    }

    #[test]
    fn passwords_are_neither_named_nor_quoted() {
        let at = |value| named(&[("ALL_PROXY", value)], "https://x.example");
        assert_eq!(at("http://me:secret@p.example"), "http://p.example:80 (from ALL_PROXY)");
        assert_eq!(at("me:secret@p.example:3128"), "http://p.example:3128 (from ALL_PROXY)");
        assert_eq!(at("https://p.example"), "https://p.example:443 (from ALL_PROXY)");
        for invalid in ["ftp://me:secret@p.example", "http://me:secret@", "http://me:secret@p:port", "://secret"] {
            assert_eq!(at(invalid), "ALL_PROXY does not contain the address of a supported proxy", "{invalid}");
        }
    }

    #[test]
    fn an_exempt_server_needs_no_valid_proxy() {
        let variables = [("ALL_PROXY", "ftp://p"), ("NO_PROXY", "x.example")];
        assert_eq!(named(&variables, "https://x.example"), "exempt: NO_PROXY");
        let variables = [("no_proxy", "y.example"), ("NO_PROXY", "x.example"), ("ALL_PROXY", "p:1")];
        assert_eq!(named(&variables, "https://x.example"), "http://p:1 (from ALL_PROXY)");
        assert_eq!(named(&variables, "https://y.example"), "exempt: no_proxy");
    }
}
