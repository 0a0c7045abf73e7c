//! What a service tells people about what it keeps of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Flow;
use crate::domain::audit::IpMode;

/// What was stored about whoever made this request, field by field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Transparency {
    /// Each field that was stored, and in what form.
    pub stored: BTreeMap<String, String>,
    /// What was not stored.
    pub not_stored: Vec<String>,
    /// What others than this service see of the request.
    pub seen_by_others: Vec<String>,
}

impl Transparency {
    /// What a service with this `ip_mode` keeps of a sender whose payload came by `flow`.
    #[must_use]
    pub fn for_sender(ip_mode: IpMode, flow: Flow) -> Self {
        Self::of(
            ip_mode,
            flow,
            [("token", "the token's id, not its secret"), ("size", "the sealed payload's, in bytes")],
        )
    }

    /// What a service with this `ip_mode` keeps of a recipient whose payload goes by `flow`.
    #[must_use]
    pub fn for_recipient(ip_mode: IpMode, flow: Flow) -> Self {
        Self::of(ip_mode, flow, [("grant", "its SHA-256"), ("size", "the bytes that were fetched")])
    }

    fn of<const N: usize>(ip_mode: IpMode, flow: Flow, fields: [(&str, &str); N]) -> Self {
        let mut stored = BTreeMap::from([
            ("time", "in milliseconds, with the route and the status of each request"),
            ("user_agent", "the product family only"),
        ]);
        stored.extend(fields);
        stored.extend(match ip_mode {
            IpMode::Hashed => {
                Some(("address", "a pseudonym that compares within one day and process, and cannot be reversed"))
            }
            IpMode::Truncated => Some(("address", "the network only: /24 of IPv4, /48 of IPv6")),
            IpMode::None => None,
            IpMode::Full => Some(("address", "as it is: the operator of this server keeps raw addresses")),
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
                    "the storage provider sees the address, the user agent, the object and the time, and may log them"
                        .to_owned(),
                ],
            },
        }
    }
}
