//! Transparency report: the data that a service stores about senders and recipients.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Flow;
use crate::domain::audit::IpMode;
use crate::domain::notification::{NotificationTarget, TokenTargets};
use crate::domain::people::recipient_keys::KeysBlob;

/// Data stored about the client of this request, by field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Transparency {
    /// Stored fields, each with the form of the stored value.
    pub stored: BTreeMap<String, String>,
    /// Data that was not stored.
    pub not_stored: Vec<String>,
    /// Data of the request that third parties can see.
    pub seen_by_others: Vec<String>,
}

impl Transparency {
    /// Returns the report for a sender who uploads by `flow` to a service with this `ip_mode`.
    #[must_use]
    pub fn for_sender(ip_mode: IpMode, flow: Flow) -> Self {
        Self::of(ip_mode, flow, [("token", "the token's id, not its secret"), ("size", "the encrypted size, in bytes")])
    }

    /// Adds what a transfer with keys for recipients and a signature shows.
    #[must_use]
    pub fn with_people(mut self, keys: Option<&KeysBlob>, is_signed: bool) -> Self {
        if let Some(keys) = keys {
            let tagged = keys.entries().ssh_ed25519 > 0;
            let form = if tagged {
                "the key, wrapped for recipients; SSH keys among them can be recognised by their public keys"
            } else {
                "the key, wrapped for recipients; not who they are"
            };
            self.stored.insert("keys".to_owned(), form.to_owned());
        }
        if is_signed {
            self.stored.insert("signature".to_owned(), "encrypted; not who signed".to_owned());
        }
        self
    }

    /// Adds the targets of notifications, which learn the id of the transfer and its events.
    #[must_use]
    pub fn with_targets(mut self, targets: &TokenTargets, service_webhook: Option<&NotificationTarget>) -> Self {
        if let Some(email) = &targets.email {
            self.stored.insert("email".to_owned(), format!("the address for notifications: {}", email.address));
        }
        let told = targets.all().map(|target| target.address.to_string());
        let told = told.chain(service_webhook.map(|target| target.address.to_string()));
        self.seen_by_others.extend(told.map(|address| format!("{address} is told the transfer's id and its events")));
        self
    }

    /// Returns the report for a recipient who downloads by `flow` from a service with this `ip_mode`.
    #[must_use]
    pub fn for_recipient(ip_mode: IpMode, flow: Flow) -> Self {
        Self::of(ip_mode, flow, [("grant", "its SHA-256"), ("size", "the number of bytes downloaded")])
    }

    fn of<const N: usize>(ip_mode: IpMode, flow: Flow, fields: [(&str, &str); N]) -> Self {
        let mut stored = BTreeMap::from([
            ("time", "in milliseconds, with the route and status of each request"),
            ("user_agent", "the product family only"),
        ]);
        stored.extend(fields);
        stored.extend(match ip_mode {
            IpMode::Hashed => {
                Some(("address", "a pseudonym: not reversible, comparable only within one UTC day and server process"))
            }
            IpMode::Truncated => Some(("address", "the network only: /24 for IPv4, /48 for IPv6")),
            IpMode::None => None,
            IpMode::Full => Some(("address", "the full address: the operator of this server stores raw addresses")),
        });
        let mut not_stored = vec!["file name", "content", "key"];
        match ip_mode {
            IpMode::Hashed | IpMode::Truncated => not_stored.push("raw address"),
            IpMode::None => not_stored.push("address"),
            IpMode::Full => {}
        }
        Self {
            stored: stored.into_iter().map(|(field, form)| (field.to_owned(), form.to_owned())).collect(),
            not_stored: not_stored.into_iter().map(str::to_owned).collect(),
            seen_by_others: match flow {
                Flow::Bytes => Vec::new(),
                Flow::Presigned => vec![
                    "the storage provider sees the address, user agent, object and time, and may log them".to_owned(),
                ],
            },
        }
    }
}
