//! Classes of IP addresses, by which clients judge those of stores, and services those of webhooks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Class of an IP address: the machines that can connect to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// This machine.
    Loopback,
    /// The machines of a private network.
    Private,
    /// All machines.
    Public,
    /// No ordinary server.
    ///
    /// Unspecified, link-local, multicast and reserved addresses, and those of the metadata services of clouds.
    Special,
}

/// IPv4 networks of [`Reach::Special`] addresses.
const SPECIAL_V4: [Ipv4Net; 8] = [
    v4([0, 0, 0, 0], 8),
    // Link-local, with the metadata services of most clouds.
    v4([169, 254, 0, 0], 16),
    // Protocol assignments, with the metadata service of Oracle Cloud.
    v4([192, 0, 0, 0], 24),
    // The metadata service of Alibaba Cloud.
    v4([100, 100, 100, 200], 32),
    // The platform service of Azure.
    v4([168, 63, 129, 16], 32),
    // Relays of 6to4.
    v4([192, 88, 99, 0], 24),
    // Multicast, reserved, and broadcast.
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// IPv4 networks of [`Reach::Private`] addresses.
const PRIVATE_V4: [Ipv4Net; 5] = [
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    // Shared by the customers of a provider, and used by VPNs.
    v4([100, 64, 0, 0], 10),
    // Benchmarks.
    v4([198, 18, 0, 0], 15),
];

/// IPv6 networks of [`Reach::Special`] addresses.
const SPECIAL_V6: [Ipv6Net; 5] = [
    v6(0xfe80 << 112, 10),
    v6(0xff00 << 112, 8),
    // Discarded.
    v6(0x0100 << 112, 64),
    // The metadata services of AWS and of Google Cloud.
    v6(0xfd00_0ec2 << 96 | 0x254, 128),
    v6(0xfd20_00ce << 96 | 0x254, 128),
];

/// IPv6 networks of [`Reach::Private`] addresses: unique local, site-local, and of a local NAT64.
const PRIVATE_V6: [Ipv6Net; 3] = [v6(0xfc00 << 112, 7), v6(0xfec0 << 112, 10), v6(0x0064_ff9b_0001 << 80, 48)];

const fn v4(address: [u8; 4], length: u8) -> Ipv4Net {
    let [a, b, c, d] = address;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(bits: u128, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), length)
}

impl Reach {
    /// Returns the class of `address`. An address with an IPv4 address inside is judged by both.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let is_in = |networks: &[Ipv4Net]| networks.iter().any(|network| network.contains(&address));
        if address.is_loopback() {
            Self::Loopback
        } else if is_in(&SPECIAL_V4) {
            Self::Special
        } else if is_in(&PRIVATE_V4) {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let is_in = |networks: &[Ipv6Net]| networks.iter().any(|network| network.contains(&address));
        if address.is_loopback() {
            return Self::Loopback;
        }
        if address.is_unspecified() || is_in(&SPECIAL_V6) {
            return Self::Special;
        }
        if let Some(mapped) = address.to_ipv4_mapped() {
            return Self::of_v4(mapped);
        }
        let outer = if is_in(&PRIVATE_V6) { Self::Private } else { Self::Public };
        match embedded(address).map(Self::of_v4) {
            None | Some(Self::Public) => outer,
            Some(Self::Private) => Self::Private,
            // The packet would go to a translator or tunnel, never to a server.
            Some(Self::Loopback | Self::Special) => Self::Special,
        }
    }

    /// Returns whether a service of this class may direct clients to an address of class `target`.
    ///
    /// A service must not make clients send requests into networks that it is not in itself.
    #[must_use]
    pub const fn may_direct_to(self, target: Self) -> bool {
        match target {
            Self::Public => true,
            Self::Private => matches!(self, Self::Private | Self::Loopback),
            Self::Loopback => matches!(self, Self::Loopback),
            Self::Special => false,
        }
    }

    /// Returns the class of a service that was reached at addresses of both classes.
    ///
    /// It has only the permissions that both have.
    #[must_use]
    pub(crate) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Loopback, Self::Loopback) => Self::Loopback,
            (Self::Loopback | Self::Private, Self::Loopback | Self::Private) => Self::Private,
            _ => Self::Public,
        }
    }
}

/// Returns the IPv4 address inside an IPv6 address of a translator or tunnel.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // NAT64 and its local form; IPv4-compatible and IPv4-translated addresses.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0, 0, 0, 0, 0 | 0xffff, 0, high, low]
        // ISATAP.
        | [_, _, _, _, 0 | 0x200, 0x5efe, high, low]
        // 6to4.
        | [0x2002, high, low, ..] => Some(of(high, low)),
        // Teredo inverts the bits.
        [0x2001, 0, _, _, _, _, high, low] => Some(of(!high, !low)),
        _ => None,
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address of this machine",
            Self::Private => "an address of a private network, which the server is not in",
            Self::Public => "a public address",
            Self::Special => "an unspecified, link-local or reserved address",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_classified_with_the_address_inside() {
        for (reach, addresses) in [
            (Reach::Loopback, &["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"] as &[_]),
            (
                Reach::Private,
                &[
                    "10.0.0.1",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "100.64.0.1",
                    "198.18.0.1",
                    "fc00::1",
                    "fd12:3456::1",
                    "fec0::1",
                    "::ffff:10.0.0.1",
                    "64:ff9b::10.0.0.1",
                    "64:ff9b:1::8.8.8.8",
                    "2002:c0a8:101::1",
                    "2001:0:5ef5:79fb:0:0:f5ff:fffe",
                    "2001:db8::5efe:10.0.0.1",
                ],
            ),
            (
                Reach::Public,
                &[
                    "8.8.8.8",
                    "172.15.0.1",
                    "172.32.0.1",
                    "100.63.0.1",
                    "192.0.2.1",
                    "2606:4700::1111",
                    "::ffff:8.8.8.8",
                    "64:ff9b::8.8.8.8",
                    "2002:808:808::1",
                ],
            ),
            (
                Reach::Special,
                &[
                    "0.0.0.0",
                    "0.1.2.3",
                    "169.254.169.254",
                    "169.254.170.2",
                    "100.100.100.200",
                    "168.63.129.16",
                    "192.0.0.192",
                    "224.0.0.1",
                    "255.255.255.255",
                    "::",
                    "fe80::1",
                    "ff02::1",
                    "fd00:ec2::254",
                    "fd20:ce::254",
                    "::ffff:0.0.0.0",
                    "::ffff:169.254.169.254",
                    "::127.0.0.1",
                    "::ffff:0:127.0.0.1",
                    "64:ff9b::127.0.0.1",
                    "64:ff9b::169.254.169.254",
                    "64:ff9b:1::127.0.0.1",
                    "2002:7f00:1::",
                    "2002:a9fe:a9fe::1",
                    "2001:0:5ef5:79fb:0:0:80ff:fffe",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
            }
        }
    }

    #[test]
    fn services_direct_clients_only_to_networks_that_they_are_in() {
        use Reach::{Loopback, Private, Public, Special};
        for (service, allowed) in [
            (Loopback, &[Loopback, Private, Public] as &[_]),
            (Private, &[Private, Public]),
            (Public, &[Public]),
            (Special, &[Public]),
        ] {
            for target in [Loopback, Private, Public, Special] {
                assert_eq!(service.may_direct_to(target), allowed.contains(&target), "{service:?} to {target:?}");
            }
        }
        assert_eq!((Loopback.and(Loopback), Private.and(Loopback)), (Loopback, Private));
        assert_eq!((Loopback.and(Public), Private.and(Special)), (Public, Public));
    }
}
