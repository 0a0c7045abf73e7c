//! Addresses of targets: webhook URLs and e-mail addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

/// Maximum length of a webhook URL, in bytes.
const MAX_URL: usize = 2_000;
/// Maximum length of an e-mail address, in bytes.
///
/// RFC 5321, section 4.5.3.1.3, without the angle brackets.
const MAX_EMAIL: usize = 254;

/// URL to which notifications are posted. Its path and query may contain a secret of the receiver.
///
/// `Debug` and `Display` show its origin only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl(Url);

/// Text that is not a usable webhook URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a webhook URL is an https:// or http:// URL of at most {MAX_URL} bytes, without user name, password and fragment"
)]
pub struct InvalidWebhookUrl;

impl WebhookUrl {
    /// Returns the URL with its path and query.
    #[must_use]
    pub const fn reveal(&self) -> &Url {
        &self.0
    }

    /// Returns whether requests are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl FromStr for WebhookUrl {
    type Err = InvalidWebhookUrl;

    fn from_str(text: &str) -> Result<Self, InvalidWebhookUrl> {
        let url: Url = text.parse().map_err(|_| InvalidWebhookUrl)?;
        let has_host = url.host_str().is_some_and(|host| !host.is_empty());
        let has_login = !url.username().is_empty() || url.password().is_some();
        let is_http = matches!(url.scheme(), "https" | "http");
        let is_usable = text.len() <= MAX_URL && is_http && has_host && !has_login && url.fragment().is_none();
        is_usable.then_some(Self(url)).ok_or(InvalidWebhookUrl)
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = InvalidWebhookUrl;

    fn try_from(text: String) -> Result<Self, InvalidWebhookUrl> {
        text.parse()
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> Self {
        url.0.into()
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// E-mail address of a recipient, without a display name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

/// Text that is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address has the form name@domain, of ASCII characters without spaces, quotes and brackets")]
pub struct InvalidEmailAddress;

impl EmailAddress {
    /// Returns the address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidEmailAddress;

    fn from_str(text: &str) -> Result<Self, InvalidEmailAddress> {
        // The characters of an atom in RFC 5322, section 3.2.3, and dots.
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte);
        let is_of_domain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let is_valid = text.len() <= MAX_EMAIL
            && text.split_once('@').is_some_and(|(name, domain)| {
                let are_some = !name.is_empty() && !domain.is_empty() && !domain.starts_with('.');
                are_some && name.bytes().all(is_of_name) && domain.bytes().all(is_of_domain)
            });
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidEmailAddress) }
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = InvalidEmailAddress;

    fn try_from(text: String) -> Result<Self, InvalidEmailAddress> {
        text.parse()
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Address of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotificationAddress {
    /// URL of a webhook.
    Webhook(WebhookUrl),
    /// E-mail address.
    Email(EmailAddress),
}

impl fmt::Display for NotificationAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook(url) => url.fmt(f),
            Self::Email(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_url_is_shown_without_its_path() {
        let url: WebhookUrl = "https://hooks.example/services/T0/secret?key=1".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "https://hooks.example https://hooks.example");
        assert_eq!(serde_json::to_value(&url).unwrap(), "https://hooks.example/services/T0/secret?key=1");
        for wrong in [
            "ftp://hooks.example",
            "hooks.example",
            "https://",
            "https://user@hooks.example",
            "https://:password@hooks.example",
            "https://hooks.example/#part",
            "file:///etc/passwd",
            &format!("https://hooks.example/{}", "x".repeat(MAX_URL)),
        ] {
            assert_eq!(wrong.parse::<WebhookUrl>(), Err(InvalidWebhookUrl), "{wrong}");
        }
    }

    #[test]
    fn only_plain_addresses_are_email_addresses() {
        for right in ["press@example.org", "a.b+c@mail.example", "a_b@xn--bcher-kva.example"] {
            assert_eq!(right.parse::<EmailAddress>().unwrap().as_str(), right);
        }
        for wrong in ["", "@", "a@", "@b", "a b@c", "a@b@c", "A <a@b>", "a@b\r\nBcc: c@d", "a@b,c@d", "a@.b"] {
            assert_eq!(wrong.parse::<EmailAddress>(), Err(InvalidEmailAddress), "{wrong:?}");
        }
    }
}
