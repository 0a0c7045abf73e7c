//! `sgsend` sends a file to someone without trusting the machine in between.
//!
//! Four modules, and what each may know:
//!
//! - [`domain`]: what a transfer is, and everything that client and server share. Knows neither HTTP nor a terminal.
//! - [`server`]: the two services over a store. Knows `domain`.
//! - [`client`]: typed calls to a server, the upload and download engines. Knows `domain`.
//! - [`cli`]: one file a command. Knows `client` and `domain`; only `cli::serve` and `cli::doctor` know `server`.
//!
//! `tests/layering.rs` holds these arrows.

pub mod cli;
pub mod client;
pub mod domain;
pub mod server;
