//! What a record says about who asked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is kept of a client's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum IpMode {
    /// A pseudonym that can be neither reversed nor linked across days or processes.
    #[default]
    Hashed,
    /// The network: `/24` of IPv4, `/48` of IPv6.
    Truncated,
    /// Nothing.
    None,
    /// The address itself.
    Full,
}

/// A client as records know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClientSummary {
    /// What `address` is.
    pub ip_mode: IpMode,
    /// The pseudonym, network or address; absent with [`IpMode::None`] or where the address is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Which salt a pseudonym was made with: pseudonyms compare only within one epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The product family of the user agent, such as `curl` or `Firefox`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}
