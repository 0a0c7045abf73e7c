//! The client summary in audit records.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Form in which client addresses are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum IpMode {
    /// A pseudonym that can be neither reversed nor linked across UTC days or server processes.
    #[default]
    Hashed,
    /// The network only: `/24` for IPv4, `/48` for IPv6.
    Truncated,
    /// No address.
    None,
    /// The full address.
    Full,
}

/// Stored information about the client of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClientSummary {
    /// Form of `address`.
    pub ip_mode: IpMode,
    /// Pseudonym, network or address; absent with [`IpMode::None`] or if the address is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Identifier of the pseudonym's salt: pseudonyms are comparable only within one epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// Product family of the user agent, such as `curl` or `Firefox`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}
