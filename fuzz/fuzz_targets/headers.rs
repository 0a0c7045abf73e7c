//! Request headers that identify the client and its origin.
//!
//! The input is the client's address and the values of `Host`, `Origin`, `User-Agent` and `Cookie`, one per line. Each
//! further header gets another line and a function of its own.

#![no_main]

use std::net::IpAddr;

use http::header::{COOKIE, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use sgsend::domain::address::AddressPolicy;
use sgsend::domain::audit::IpMode;
use sgsend::domain::timestamp::Timestamp;
use sgsend::server::AdminKey;
use sgsend::server::fuzzing::{cookies_named, own_origin};
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
        let here = Url::parse(&format!("{}://{host}", allowed.scheme())).expect("an allowed host is a valid URL host");
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

fn cookie(value: &str) {
    const NAME: &str = "x-api-key";
    let found = |value: &str| -> Option<Vec<String>> {
        let headers: HeaderMap = [(COOKIE, HeaderValue::from_str(value).ok()?)].into_iter().collect();
        Some(cookies_named(&headers, NAME).into_iter().map(str::to_owned).collect())
    };
    let Some(offered) = found(value) else { return };
    let key = AdminKey::new(&"k".repeat(32)).expect("the key is long enough");
    let now = Timestamp::from_millis(0);
    for candidate in &offered {
        assert!(value.contains(candidate) && !candidate.contains(';'));
        assert!(!key.verify_session(candidate, now) && !key.matches(candidate), "a forged key or session was accepted");
    }
    // Other cookies must not hide the session.
    let session = key.new_session(now);
    assert!(key.verify_session(&session, now) && AdminKey::has_session_form(&session));
    let first = found(&format!("{NAME}={session};{value}")).expect("the header is valid with the session, too");
    assert_eq!(first.first(), Some(&session));
    let last = found(&format!("{value};__Host-{NAME}={session}")).expect("the header is valid with the session, too");
    assert_eq!(last.last(), Some(&session));
}

fuzz_target!(|text: &str| {
    let [address, host, from, agent, cookies] = lines(text);
    cookie(cookies);
    origin(host, from);
    client(address, agent);
});
