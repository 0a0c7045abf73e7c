//! Settings of notifications.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, PemObject};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::domain::notification::{EmailAddress, WebhookKey, WebhookSecret, WebhookUrl};

/// Settings of notifications; by default, nothing is sent.
#[derive(Clone, Debug, Default)]
pub struct NotificationSettings {
    /// Webhook for the notifications about all transfers.
    pub webhook: Option<WebhookUrl>,
    /// Secret of [`NotificationSettings::webhook`]; without one, its secret is derived from the key.
    pub webhook_secret: Option<WebhookSecret>,
    /// Key from which the secrets of webhooks are derived; without one, tokens cannot have webhooks.
    pub webhook_key: Option<WebhookKey>,
    /// Whether webhooks may have private and loopback addresses.
    pub allow_private: bool,
    /// Mail server; without one, tokens cannot have e-mail addresses.
    pub smtp: Option<SmtpServer>,
    /// File with further CA certificates, in PEM.
    pub ca_file: Option<PathBuf>,
}

impl NotificationSettings {
    /// Reads the further CA certificates.
    ///
    /// # Errors
    /// If the file is unreadable or not PEM.
    pub(super) fn extra_roots(&self) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
        let Some(file) = &self.ca_file else { return Ok(Vec::new()) };
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect)
    }
}

/// Encryption of the connection to a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SmtpEncryption {
    /// TLS from the first byte.
    Implicit,
    /// STARTTLS, which the server must offer.
    StartTls,
    /// None; only to a loopback address.
    None,
}

/// Mail server that accepts notifications, from an `smtp://` or `smtps://` URL.
///
/// `Debug` does not show the password.
#[derive(Clone)]
pub struct SmtpServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encryption: SmtpEncryption,
    pub(super) login: Option<(String, Zeroizing<String>)>,
    /// Address from which notifications come.
    pub(super) from: EmailAddress,
}

/// Text that is not the URL of a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a mail server is smtps://USER:PASSWORD@HOST or smtp://USER:PASSWORD@HOST, with ?from=ADDRESS if USER is no address; smtp://localhost without a password may add tls=none"
)]
pub struct InvalidSmtpUrl;

impl FromStr for SmtpServer {
    type Err = InvalidSmtpUrl;

    fn from_str(text: &str) -> Result<Self, InvalidSmtpUrl> {
        let url: Url = text.trim().parse().map_err(|_| InvalidSmtpUrl)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidSmtpUrl)?.to_owned();
        let decode = |text: &str| decode_percent(text).map(Zeroizing::new).ok_or(InvalidSmtpUrl);
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => Some((decode(user)?.to_string(), decode(password)?)),
            _ => return Err(InvalidSmtpUrl),
        };
        let (mut from, mut without_tls) = (None, false);
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("from", address) => from = Some(address.parse().map_err(|_| InvalidSmtpUrl)?),
                ("tls", "none") => without_tls = true,
                _ => return Err(InvalidSmtpUrl),
            }
        }
        let encryption = match url.scheme() {
            "smtps" => SmtpEncryption::Implicit,
            "smtp" if without_tls => SmtpEncryption::None,
            "smtp" => SmtpEncryption::StartTls,
            _ => return Err(InvalidSmtpUrl),
        };
        // A password must not cross a network unencrypted; and a relay of this machine needs none.
        if without_tls && (encryption != SmtpEncryption::None || login.is_some() || !is_loopback(&host)) {
            return Err(InvalidSmtpUrl);
        }
        let has_path = !matches!(url.path(), "" | "/");
        let user = login.as_ref().and_then(|(user, _)| user.parse().ok());
        let from = from.or(user).filter(|_| !has_path && url.fragment().is_none()).ok_or(InvalidSmtpUrl)?;
        let default_port = if encryption == SmtpEncryption::Implicit { 465 } else { 587 };
        Ok(Self { host, port: url.port().unwrap_or(default_port), encryption, login, from })
    }
}

/// Returns whether a host of a URL is this machine. URLs of other schemes than http keep numeric hosts as text.
fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}

fn decode_percent(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpServer").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_encrypted_unless_it_is_this_machine() {
        let server = |text: &str| text.parse::<SmtpServer>().ok();
        let full = server("smtps://press%40example.org:pa%20ss@mail.example").unwrap();
        assert_eq!((full.host.as_str(), full.port, full.encryption), ("mail.example", 465, SmtpEncryption::Implicit));
        assert_eq!(full.from.as_str(), "press@example.org");
        assert_eq!(full.login.as_ref().map(|(_, password)| password.as_str()), Some("pa ss"));
        assert!(!format!("{full:?}").contains("pa ss"));
        let start_tls = server("smtp://mail.example:25?from=a@b.example").unwrap();
        assert_eq!((start_tls.port, start_tls.encryption), (25, SmtpEncryption::StartTls));
        let local = server("smtp://127.0.0.1:2525?from=a@b.example&tls=none").unwrap();
        assert_eq!(local.encryption, SmtpEncryption::None);
        for wrong in [
            "mail.example",
            "http://mail.example?from=a@b.example",
            "smtp://mail.example",
            "smtp://mail.example?from=a",
            "smtp://mail.example?from=a@b.example&tls=none",
            "smtp://u:p@localhost?from=a@b.example&tls=none",
            "smtps://localhost?from=a@b.example&tls=none",
            "smtp://user@mail.example?from=a@b.example",
            "smtp://mail.example/x?from=a@b.example",
            "smtp://mail.example?from=a@b.example&port=1",
        ] {
            assert!(server(wrong).is_none(), "{wrong}");
        }
    }
}
