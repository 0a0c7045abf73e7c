//! Connections: listening, TLS, limits on number, time and memory, and the client's address.

pub(super) mod base_path;
pub(super) mod client_address;
pub(super) mod connection_info;
pub(super) mod connection_limit;
pub(super) mod egress_limit;
pub(super) mod event_streams;
mod http2_watchdog;
pub(super) mod in_flight;
pub(super) mod list_limit;
pub(super) mod listener;
pub(super) mod payload_limit;
pub(super) mod permit_body;
pub(super) mod proxy_protocol;
pub(super) mod rate_limit;
pub(super) mod request_body;
pub(super) mod response_body;
pub(super) mod response_budget;
pub(super) mod shared_limit;
pub(super) mod socket;
pub(super) mod timeouts;
pub(super) mod tls;
pub(super) mod write_timeout;
