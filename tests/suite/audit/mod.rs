//! Audit records and the client data in them.

mod anonymity;
mod pieces;
mod records;
mod retention;
