//! The `sgsend` binary, run like a user or a script runs it.

mod output;
mod people;
mod sender;
mod server;
mod store;
mod transfers;
