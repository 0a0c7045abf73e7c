//! Client addresses: forwarded headers, trusted proxies, and anonymisation.

mod forwarded;
mod proxies;
mod reach;

use std::net::IpAddr;
use std::sync::Mutex;

use aws_lc_rs::hmac;

pub use forwarded::{HeaderForm, addresses};
pub use proxies::{InvalidNetwork, TrustedProxies, network};
pub use reach::Reach;

use super::audit::user_agent::family_of;
use super::audit::{ClientSummary, IpMode};
use super::id::hex;
use super::timestamp::{Day, Timestamp};
use crate::domain::crypto::random;

/// Returns whether only this machine can connect to `address`. IPv4-mapped loopback addresses count.
#[must_use]
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Anonymises client addresses for audit records, and derives the keys that rate limits count by.
///
/// In [`IpMode::Hashed`] a pseudonym is the first 64 bits of HMAC-SHA256 under a 32-byte random salt. The salt is drawn
/// at first use in a process and again at each UTC midnight, and exists only in this value. Pseudonyms are therefore
/// comparable only within one process and UTC day, and a copy of the store does not allow guessing addresses.
pub struct AddressPolicy {
    mode: IpMode,
    salt: Mutex<Option<Salt>>,
    counter_key: hmac::Key,
}

/// Keyed hash of a client for rate limits: its IPv4 address, or the `/64` of its IPv6 address.
///
/// The hash key is random per process; the hash never leaves the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey([u8; 16]);

/// Keyed hash of a client's network, for limits per network. A network is an IPv4 address, or the `/48` of an IPv6
/// address.
///
/// A `/48` is the largest allocation of one customer (RFC 6177) and easy to obtain, so its 65 536 `/64`s count as one
/// network. The hash key is random per process; the hash never leaves the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkKey([u8; 16]);

#[cfg(test)]
impl ClientKey {
    /// Returns a distinct key per `number`, for tests of limits.
    pub(crate) fn of_test(number: u32) -> Self {
        let mut key = [0; 16];
        key[..4].copy_from_slice(&number.to_be_bytes());
        Self(key)
    }
}

#[cfg(test)]
impl NetworkKey {
    /// Returns a distinct key per `number`, for tests of limits.
    pub(crate) const fn of_test(number: u8) -> Self {
        Self([number; 16])
    }
}

struct Salt {
    day: Day,
    key: hmac::Key,
    epoch: String,
}

impl Salt {
    fn random(day: Day) -> Self {
        let epoch = hex(&random::bytes::<4>());
        Self { day, key: hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()), epoch }
    }

    fn pseudonym(&self, address: IpAddr) -> String {
        hex(&hmac::sign(&self.key, &octets(address)).as_ref()[..8])
    }
}

impl AddressPolicy {
    /// Creates a policy that stores addresses in the form given by `mode`.
    #[must_use]
    pub fn new(mode: IpMode) -> Self {
        let counter_key = hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>());
        Self { mode, salt: Mutex::new(None), counter_key }
    }

    /// Returns the rate-limit key of a client address. Independent of the mode.
    #[must_use]
    pub fn key_of(&self, address: Option<IpAddr>) -> ClientKey {
        ClientKey(self.network_hash(address, 64))
    }

    /// Returns the key of a client address's network, for limits per network. Independent of the mode.
    #[must_use]
    pub fn network_of(&self, address: Option<IpAddr>) -> NetworkKey {
        NetworkKey(self.network_hash(address, 48))
    }

    fn network_hash(&self, address: Option<IpAddr>, ipv6_prefix_bits: usize) -> [u8; 16] {
        let bytes = match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V6(address)) => address.octets()[..ipv6_prefix_bits / 8].to_vec(),
            Some(address) => octets(address),
            None => Vec::new(),
        };
        let mut key = [0; 16];
        key.copy_from_slice(&hmac::sign(&self.counter_key, &bytes).as_ref()[..16]);
        key
    }

    /// Returns the form in which addresses are stored.
    #[must_use]
    pub const fn mode(&self) -> IpMode {
        self.mode
    }

    /// Returns the storable summary of a client whose request arrived at `now`.
    #[must_use]
    pub fn describe(&self, address: Option<IpAddr>, agent: Option<&str>, now: Timestamp) -> ClientSummary {
        // An IPv6 socket reports the IPv4 client `192.0.2.1` as `::ffff:192.0.2.1`.
        let address = address.map(|address| address.to_canonical());
        let (address, epoch) = match (self.mode, address) {
            (IpMode::None, _) | (_, None) => (None, None),
            (IpMode::Full, Some(address)) => (Some(address.to_string()), None),
            (IpMode::Truncated, Some(address)) => (Some(truncated(address)), None),
            (IpMode::Hashed, Some(address)) => {
                let (pseudonym, epoch) = self.pseudonym(address, now.day());
                (Some(pseudonym), Some(epoch))
            }
        };
        ClientSummary { ip_mode: self.mode, address, epoch, agent: agent.map(|agent| family_of(agent).to_owned()) }
    }

    fn pseudonym(&self, address: IpAddr, today: Day) -> (String, String) {
        let mut salt = self.salt.lock().expect("no code panics while holding this lock");
        if salt.as_ref().is_some_and(|salt| salt.day != today) {
            *salt = None;
        }
        let salt = salt.get_or_insert_with(|| Salt::random(today));
        (salt.pseudonym(address), salt.epoch.clone())
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Formats the `/24` network of an IPv4 address, or the `/48` network of an IPv6 address.
fn truncated(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_767_268_800_000);

    fn describe(policy: &AddressPolicy, text: &str, now: Timestamp) -> ClientSummary {
        policy.describe(Some(text.parse().unwrap()), None, now)
    }

    #[test]
    fn pseudonyms_compare_within_a_day_and_a_process_only() {
        let policy = AddressPolicy::new(IpMode::Hashed);
        let first = describe(&policy, "192.0.2.1", NOON);
        assert_eq!(first, describe(&policy, "::ffff:192.0.2.1", NOON));
        assert_eq!(first.address.as_ref().unwrap().len(), 16);
        assert_ne!(first.address, describe(&policy, "192.0.2.2", NOON).address);
        let tomorrow = describe(&policy, "192.0.2.1", NOON.plus(Duration::from_hours(24)));
        assert_ne!(first.address, tomorrow.address);
        assert_ne!(first.epoch, tomorrow.epoch);
        let elsewhere = describe(&AddressPolicy::new(IpMode::Hashed), "192.0.2.1", NOON);
        assert_ne!(first.address, elsewhere.address);
        let back = describe(&policy, "192.0.2.1", NOON);
        assert_ne!(first.address, back.address, "the salt is kept beyond its day");
    }

    #[test]
    fn rate_limits_key_by_ipv6_64_and_attempt_limits_by_48() {
        let policy = AddressPolicy::new(IpMode::Hashed);
        let key = |text: &str| policy.key_of(Some(text.parse().unwrap()));
        let network_key = |text: &str| policy.network_of(Some(text.parse().unwrap()));
        assert_eq!(key("2001:db8:1:2::3"), key("2001:db8:1:2:ffff::1"));
        assert_ne!(key("2001:db8:1:2::3"), key("2001:db8:1:3::3"));
        assert_eq!(network_key("2001:db8:1:2::3"), network_key("2001:db8:1:ffff::3"));
        assert_ne!(network_key("2001:db8:1:2::3"), network_key("2001:db8:2:2::3"));
        assert_eq!(
            (key("192.0.2.1"), network_key("192.0.2.1")),
            (key("::ffff:192.0.2.1"), network_key("::ffff:192.0.2.1"))
        );
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_ne!(network_key("192.0.2.1"), network_key("192.0.2.2"));
    }

    #[test]
    fn other_modes_truncate_keep_or_drop_the_address() {
        let stored = |mode, text| describe(&AddressPolicy::new(mode), text, NOON).address;
        assert_eq!(stored(IpMode::Truncated, "198.51.100.77").as_deref(), Some("198.51.100.0/24"));
        assert_eq!(stored(IpMode::Truncated, "2001:db8:1:2::3").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(stored(IpMode::Full, "::ffff:198.51.100.77").as_deref(), Some("198.51.100.77"));
        assert_eq!(stored(IpMode::None, "198.51.100.77"), None);
    }
}
