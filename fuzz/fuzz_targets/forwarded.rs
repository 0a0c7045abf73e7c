//! Client addresses in headers of proxies, which untrusted clients can forge.
//!
//! The input is the peer's address, followed by the header's lines.

#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use sgsend::domain::address::{HeaderForm, TrustedProxies, addresses, network};

fuzz_target!(|text: &str| {
    let Some((peer, header)) = text.split_once('\n') else { return };
    let Ok(peer) = peer.parse::<IpAddr>() else { return };
    let proxies = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"].map(|text| network(text).expect("the network is valid"));
    let proxies = TrustedProxies::new(proxies.to_vec());
    for form in [HeaderForm::List, HeaderForm::Forwarded] {
        let named = addresses(form, header.split('\n'));
        assert!(named.iter().flatten().all(|address| *address == address.to_canonical()));
        let client = proxies.client(peer, &named);
        assert!(client == peer.to_canonical() || named.contains(&Some(client)));
        if !proxies.trusts(peer.to_canonical()) {
            assert_eq!(client, peer.to_canonical(), "a header of an untrusted peer was used");
        }
        if !proxies.trusts(client) {
            // Header entries before the client's own must not change the result.
            for forged in ["198.51.100.1", "10.0.0.1", "for=198.51.100.1", "for=\"", "for=10.0.0.1"] {
                let header = format!("{forged}\n{header}");
                let named = addresses(form, header.split('\n'));
                assert_eq!(proxies.client(peer, &named), client, "{forged}");
            }
        }
    }
});
