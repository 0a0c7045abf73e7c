//! Clients' addresses: who is behind a proxy, and what is kept of addresses and user agents.

mod forwarded;
mod proxies;

use std::net::IpAddr;
use std::sync::Mutex;

use aws_lc_rs::hmac;

pub use forwarded::{HeaderForm, addresses};
pub use proxies::{InvalidNetwork, TrustedProxies, network};

use super::audit::{ClientSummary, IpMode};
use super::id::hex;
use super::random;
use super::timestamp::{Day, Timestamp};

/// Turns addresses into what may be kept of them.
///
/// In [`IpMode::Hashed`] a pseudonym is the first 64 bits of HMAC-SHA256 under 32 random bytes, which are drawn at the
/// first use in a process and at each UTC midnight, and exist nowhere but in this value. So pseudonyms compare within
/// one process and day, and not even whoever holds the store can try addresses against them.
pub struct AddressPolicy {
    mode: IpMode,
    salt: Mutex<Option<Salt>>,
    counting: hmac::Key,
}

/// Stands for a client's address while this process counts its requests: an IPv4 address, or the `/64` of an IPv6
/// address, as a keyed hash that never leaves the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey([u8; 16]);

/// Stands for the site that a client's address belongs to while this process counts what may be done only so often: an
/// IPv4 address, or the `/48` of an IPv6 address, as a keyed hash that never leaves the process.
///
/// A `/48` is the most that one site is given (RFC 6177), and anyone gets one: its 65 536 networks are one guesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SiteKey([u8; 16]);

#[cfg(test)]
impl SiteKey {
    /// A key for tests of what counts by it.
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
    fn drawn_on(day: Day) -> Self {
        let epoch = hex(&random::bytes::<4>());
        Self { day, key: hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()), epoch }
    }

    fn pseudonym(&self, address: IpAddr) -> String {
        hex(&hmac::sign(&self.key, &octets(address)).as_ref()[..8])
    }
}

impl AddressPolicy {
    /// A policy that keeps what `mode` says.
    #[must_use]
    pub fn new(mode: IpMode) -> Self {
        let counting = hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>());
        Self { mode, salt: Mutex::new(None), counting }
    }

    /// What stands for a client in counts, under a key of this process. The same whatever the mode.
    #[must_use]
    pub fn key_of(&self, address: Option<IpAddr>) -> ClientKey {
        ClientKey(self.counting_key(address, 64))
    }

    /// What stands for a client's site in counts, under a key of this process. The same whatever the mode.
    #[must_use]
    pub fn site_of(&self, address: Option<IpAddr>) -> SiteKey {
        SiteKey(self.counting_key(address, 48))
    }

    fn counting_key(&self, address: Option<IpAddr>, ipv6_bits: usize) -> [u8; 16] {
        let bytes = match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V6(address)) => address.octets()[..ipv6_bits / 8].to_vec(),
            Some(address) => octets(address),
            None => Vec::new(),
        };
        let mut key = [0; 16];
        key.copy_from_slice(&hmac::sign(&self.counting, &bytes).as_ref()[..16]);
        key
    }

    /// What is kept of addresses.
    #[must_use]
    pub const fn mode(&self) -> IpMode {
        self.mode
    }

    /// What may be kept of a client that asked at `now`.
    #[must_use]
    pub fn describe(&self, address: Option<IpAddr>, agent: Option<&str>, now: Timestamp) -> ClientSummary {
        // `::ffff:192.0.2.1` is `192.0.2.1` that came over an IPv6 socket.
        let address = address.map(|address| address.to_canonical());
        let (address, epoch) = match (self.mode, address) {
            (IpMode::None, _) | (_, None) => (None, None),
            (IpMode::Full, Some(address)) => (Some(address.to_string()), None),
            (IpMode::Truncated, Some(address)) => (Some(network_of(address)), None),
            (IpMode::Hashed, Some(address)) => {
                let (pseudonym, epoch) = self.pseudonym(address, now.day());
                (Some(pseudonym), Some(epoch))
            }
        };
        ClientSummary { ip_mode: self.mode, address, epoch, agent: agent.map(|agent| family_of(agent).to_owned()) }
    }

    fn pseudonym(&self, address: IpAddr, today: Day) -> (String, String) {
        let mut salt = self.salt.lock().expect("nothing panics while it holds this lock");
        if salt.as_ref().is_some_and(|salt| salt.day != today) {
            *salt = None;
        }
        let salt = salt.get_or_insert_with(|| Salt::drawn_on(today));
        (salt.pseudonym(address), salt.epoch.clone())
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn network_of(address: IpAddr) -> String {
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

/// The product family of a user agent: enough to tell a browser from a script, too little to tell people apart.
fn family_of(agent: &str) -> &'static str {
    // The order matters: Edge and Chrome also call themselves Safari, and nearly all call themselves Mozilla.
    const FAMILIES: [(&str, &str); 12] = [
        ("sgsend/", "sgsend"),
        ("curl/", "curl"),
        ("Wget/", "Wget"),
        ("python", "Python"),
        ("Python", "Python"),
        ("Go-http-client", "Go"),
        ("Edg", "Edge"),
        ("Firefox/", "Firefox"),
        ("Chromium/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("bot", "bot"),
    ];
    FAMILIES.iter().find(|(mark, _)| agent.contains(mark)).map_or("other", |(_, family)| family)
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
        assert_ne!(first.address, back.address, "a salt outlived its day");
    }

    #[test]
    fn requests_count_by_network_and_guesses_by_site() {
        let policy = AddressPolicy::new(IpMode::Hashed);
        let key = |text: &str| policy.key_of(Some(text.parse().unwrap()));
        let site = |text: &str| policy.site_of(Some(text.parse().unwrap()));
        assert_eq!(key("2001:db8:1:2::3"), key("2001:db8:1:2:ffff::1"));
        assert_ne!(key("2001:db8:1:2::3"), key("2001:db8:1:3::3"));
        assert_eq!(site("2001:db8:1:2::3"), site("2001:db8:1:ffff::3"));
        assert_ne!(site("2001:db8:1:2::3"), site("2001:db8:2:2::3"));
        assert_eq!((key("192.0.2.1"), site("192.0.2.1")), (key("::ffff:192.0.2.1"), site("::ffff:192.0.2.1")));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_ne!(site("192.0.2.1"), site("192.0.2.2"));
    }

    #[test]
    fn other_modes_keep_what_they_say() {
        let kept = |mode, text| describe(&AddressPolicy::new(mode), text, NOON).address;
        assert_eq!(kept(IpMode::Truncated, "198.51.100.77").as_deref(), Some("198.51.100.0/24"));
        assert_eq!(kept(IpMode::Truncated, "2001:db8:1:2::3").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(kept(IpMode::Full, "::ffff:198.51.100.77").as_deref(), Some("198.51.100.77"));
        assert_eq!(kept(IpMode::None, "198.51.100.77"), None);
    }

    #[test]
    fn user_agents_are_reduced_to_families() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let edge =
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0";
        for (agent, family) in [(firefox, "Firefox"), (edge, "Edge"), ("curl/8.5.0", "curl"), ("", "other")] {
            assert_eq!(family_of(agent), family);
        }
    }
}
