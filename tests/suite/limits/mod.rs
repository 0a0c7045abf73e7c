//! Rate limits and quotas.

mod floods;
mod quotas;
mod rate_limits;

use sgsend::domain::address::{TrustedProxies, network};
use sgsend::server::Settings;

use crate::support::Api;

/// Trusts loopback proxies, so that a test can send from any client address.
fn proxied(settings: &mut Settings) {
    settings.client_address.proxies = TrustedProxies::new(vec![network("127.0.0.1").unwrap()]);
}

fn from(api: &Api, address: &str) -> Api {
    api.clone().with_header("x-forwarded-for", address)
}
