//! The domain model: transfers, tokens, audit records, the sealed format, links, and [`store::Store`].
//!
//! This module is independent of HTTP frameworks, terminals, databases and object stores.

pub mod address;
pub mod archive;
pub mod audit;
pub mod base_url;
pub mod clock;
pub mod crypto;
pub mod error;
pub mod file_name;
pub mod id;
pub mod limits;
pub mod link;
pub mod maintenance;
pub mod notification;
pub mod people;
#[cfg(test)]
mod simulation;
pub mod stats;
pub mod store;
pub mod timestamp;
pub mod token;
pub mod transfer;
pub mod transfers;
pub mod version;
pub mod wire;
