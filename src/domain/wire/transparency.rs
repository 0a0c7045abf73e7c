//! Transparency report: the data that a service stores about senders and recipients.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Flow;
use crate::domain::audit::IpMode;
use crate::domain::notification::{NotificationTarget, TokenTargets};
use crate::domain::people::recipient_keys::KeysBlob;

/// Data stored about the client of this request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Transparency {
    /// Stored data, and in which form.
    pub stored: Vec<Disclosure>,
    /// Data that was not stored.
    pub not_stored: Vec<Disclosure>,
    /// Data of the request that third parties can see.
    pub seen_by_others: Vec<Disclosure>,
}

/// One statement of a transparency report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Disclosure {
    /// Stable code, for texts in other languages.
    pub code: String,
    /// English text.
    pub text: String,
    /// Address of a target of notifications; absent for other codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl Disclosure {
    fn new(code: &str, text: &str) -> Self {
        Self { code: code.to_owned(), text: text.to_owned(), address: None }
    }
}

impl Transparency {
    /// Returns the report for a sender who uploads by `flow` to a service with this `ip_mode`.
    #[must_use]
    pub fn for_sender(ip_mode: IpMode, flow: Flow) -> Self {
        let fields = [("token", "token: its id, not its secret"), ("sent_size", "size: encrypted, in bytes")];
        Self::of(ip_mode, flow, fields)
    }

    /// Adds what a transfer with keys for recipients and a signature shows.
    #[must_use]
    pub fn with_people(mut self, keys: Option<&KeysBlob>, is_signed: bool) -> Self {
        if let Some(keys) = keys {
            self.stored.push(if keys.entries().ssh_ed25519 > 0 {
                Disclosure::new(
                    "keys_tagged",
                    "key: wrapped for recipients; SSH keys among them can be recognised by their public keys",
                )
            } else {
                Disclosure::new("keys", "key: wrapped for recipients; not who they are")
            });
        }
        if is_signed {
            self.stored.push(Disclosure::new("signature", "signature: encrypted; not who signed"));
        }
        self
    }

    /// Adds the targets of notifications, which learn the id of the transfer and its events.
    #[must_use]
    pub fn with_targets(mut self, targets: &TokenTargets, service_webhook: Option<&NotificationTarget>) -> Self {
        if let Some(email) = &targets.email {
            let address = email.address.to_string();
            let text = format!("email: the address for notifications, {address}");
            self.stored.push(Disclosure { address: Some(address), ..Disclosure::new("email", &text) });
        }
        let told = targets.all().map(|target| target.address.to_string());
        let told = told.chain(service_webhook.map(|target| target.address.to_string()));
        self.seen_by_others.extend(told.map(|address| {
            let text = format!("{address} is told the transfer's id and its events");
            Disclosure { address: Some(address), ..Disclosure::new("notified", &text) }
        }));
        self
    }

    /// Returns the report for a recipient who downloads by `flow` from a service with this `ip_mode`.
    #[must_use]
    pub fn for_recipient(ip_mode: IpMode, flow: Flow) -> Self {
        let fields = [("grant", "grant: its SHA-256"), ("received_size", "size: the number of bytes downloaded")];
        Self::of(ip_mode, flow, fields)
    }

    fn of<const N: usize>(ip_mode: IpMode, flow: Flow, fields: [(&str, &str); N]) -> Self {
        let address = match ip_mode {
            IpMode::Hashed => Some((
                "address_pseudonym",
                "address: a pseudonym, not reversible, comparable only within one UTC day and server process",
            )),
            IpMode::Truncated => Some(("address_network", "address: the network only, /24 for IPv4 and /48 for IPv6")),
            IpMode::None => None,
            IpMode::Full => {
                Some(("address_full", "address: the full address; the operator of this server stores raw addresses"))
            }
        };
        let common = [
            ("time", "time: in milliseconds, with the route and status of each request"),
            ("user_agent", "user agent: the product family only"),
        ];
        let unstored_address = match ip_mode {
            IpMode::Hashed | IpMode::Truncated => Some(("raw_address", "raw address")),
            IpMode::None => Some(("address", "address")),
            IpMode::Full => None,
        };
        let not_stored = [("file_name", "file name"), ("content", "content"), ("key", "key")];
        let provider = match flow {
            Flow::Bytes => None,
            Flow::Presigned => Some((
                "storage_provider",
                "the storage provider sees the address, user agent, object and time, and may log them",
            )),
        };
        Self {
            stored: disclosures(common.into_iter().chain(address).chain(fields)),
            not_stored: disclosures(not_stored.into_iter().chain(unstored_address)),
            seen_by_others: disclosures(provider),
        }
    }
}

fn disclosures<'a>(items: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Disclosure> {
    items.into_iter().map(|(code, text)| Disclosure::new(code, text)).collect()
}
