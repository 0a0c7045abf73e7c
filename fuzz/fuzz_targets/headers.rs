//! What a request's headers say of where it comes from.
//!
//! The input is the client's address and the values of `Host`, `Origin` and `User-Agent`, a line each. A header joins
//! with a further line and a function of its own.

#![no_main]

use std::net::IpAddr;

use http::Request;
use http::header::{HOST, ORIGIN};
use libfuzzer_sys::fuzz_target;
use sgsend::domain::address::AddressPolicy;
use sgsend::domain::audit::IpMode;
use sgsend::domain::timestamp::Timestamp;
use sgsend::server::fuzzing::own_origin;
use sgsend_fuzz::lines;
use url::{Origin, Url};

fn origin(host: &str, origin: &str) {
    let request = Request::builder().header(HOST, host).header(ORIGIN, origin);
    let Ok(request) = request.body(()) else { return };
    let (parts, ()) = request.into_parts();
    for encrypted in [false, true] {
        let Some(allowed) = own_origin(parts.clone(), encrypted) else { continue };
        assert!(matches!(allowed.scheme(), "http" | "https") && (!encrypted || allowed.scheme() == "https"));
        assert!(matches!(allowed.origin(), Origin::Tuple(..)));
        let here = Url::parse(&format!("{}://{host}", allowed.scheme())).expect("it was allowed");
        assert_eq!((allowed.host(), allowed.port_or_known_default()), (here.host(), here.port_or_known_default()));
    }
}

fn client(address: &str, agent: &str) {
    let address = address.parse::<IpAddr>().ok();
    let describe = |mode| AddressPolicy::new(mode).describe(address, Some(agent), Timestamp::from_millis(0));
    for mode in [IpMode::Hashed, IpMode::Truncated, IpMode::None, IpMode::Full] {
        let family = describe(mode).agent.expect("every agent has a family");
        assert!(family.len() <= 8 && family.bytes().all(|byte| byte.is_ascii_alphabetic()), "{family}");
    }
    assert_eq!(describe(IpMode::None).address, None);
    let Some(address) = address else { return };
    let pseudonym = describe(IpMode::Hashed).address.expect("an address has a pseudonym");
    assert!(pseudonym.len() == 16 && pseudonym.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let network = describe(IpMode::Truncated).address.expect("an address lies in a network");
    let (network, bits) = network.split_once('/').expect("a network has a length");
    let expected = if address.to_canonical().is_ipv4() { "24" } else { "48" };
    assert!(network.parse::<IpAddr>().is_ok() && bits == expected);
}

fuzz_target!(|text: &str| {
    let [address, host, from, agent] = lines(text);
    origin(host, from);
    client(address, agent);
});
