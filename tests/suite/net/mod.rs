//! Connections, HTTP/2 and proxies.

mod http;
mod http2;
mod nginx;
mod proxies;
mod slow_streams;
