//! Connections, HTTP/2 and proxies.

mod base_path;
mod bucket_connections;
mod http;
mod http2;
mod nginx;
mod proxies;
mod proxy_protocol;
mod slow_streams;
