//! End-to-end encrypted file transfer through a server that need not be trusted.
//!
//! The crate has four modules. `tests/repository/layering.rs` enforces the dependencies between them:
//!
//! - [`domain`]: transfers, and everything that client and server share. Independent of HTTP and of the terminal.
//! - [`server`]: the public and the admin HTTP service over a store. Depends on `domain`.
//! - [`client`]: typed API calls, the upload engine and the download engine. Depends on `domain`.
//! - [`cli`]: the commands. Depends on `client` and `domain`; only the commands that run a server or open a storage
//!   directly (`serve`, `doctor`, `store`, `sweep` and their S3 options) depend on `server`.

pub mod cli;
pub mod client;
pub mod domain;
pub mod server;
